"""Uplinks as machines have them: an address from DHCP on the NIC, and a /32 with a gateway."""

import signal

import cluster as lab
from checks import expect, expect_equal
from lab.net import wait_until
from lab.node import program

_COUNT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7777)); s.settimeout(5); print("bound", flush=True)
got = [s.recv(99)]; s.settimeout(0.5)
try:
    while True: got.append(s.recv(99))
except TimeoutError: print(len(got), flush=True)
"""


def received_once(cluster, node):
    """How many datagrams the node's kernel gets when one is sent to it."""
    counter = node.namespace.spawn([lab.PYTHON, "-c", _COUNT, node.address(4)])
    counter.wait_for_line(lambda line: line == "bound", 5, "the counter listens")
    cluster.outside.run(["bash", "-c", f"echo x > /dev/udp/{node.address(4)}/7777"])
    counter.popen.wait(10)
    return int(counter.output().split()[-1])


def dhcp_like(report, cluster, node):
    """The NIC has the address when podlaned starts, and gets it again while it runs."""
    own = f"{node.address(4)}/24"

    def has_address():
        return own.split("/")[0] in str(node.namespace.ip_json("addr", "show", "eth1"))

    node.namespace.ip("addr", "add", own, "dev", "eth1")
    node.namespace.ip("route", "add", "default", "via", "192.168.50.254", "metric", "100")
    node.start()
    cluster.apply(*cluster.node_objects())
    with report.check("the NIC's address is podlane's while it runs"):
        expect(not has_address(), "the kernel has it on the NIC")
    with report.check("one datagram of one arrives at the node, not two"):
        expect_equal(received_once(cluster, node), 1)
    node.namespace.ip("addr", "add", own, "dev", "eth1")
    with report.check("an address that comes back is taken again"):
        wait_until(lambda: not has_address(), 5, "it goes")
    with report.check("one datagram of one arrives then, too"):
        expect_equal(received_once(cluster, node), 1)
    with report.check("SIGTERM gives the address back, with its default route"):
        expect_equal(node.stop(), 0, "exit code")
        expect(has_address(), "it is not there")
        expect("eth1" in str(node.namespace.ip_json("route", "show", "default")), "no route")
    node.start()
    with report.check("after kill -9 --give-back gives it back, with its route"):
        node.stop(signal.SIGKILL)
        expect(not has_address(), "it came back by itself")
        node.namespace.run([program("podlaned"), "--config", node.config_path, "--give-back"])
        expect(has_address(), "it is not there")
        expect("eth1" in str(node.namespace.ip_json("route", "show", "default")), "no route")
    node.namespace.ip("addr", "flush", "dev", "eth1")


def on_link_gateway(report, cluster, node):
    """192.0.2.7/32 and 2001:db8::7/128, with gateways outside every subnet of the node."""
    outside = cluster.outside
    lab.add_addresses(outside, "eth0", ["198.51.100.1/32", "2001:db8:9::1/128"])
    outside.ip("route", "add", "192.0.2.7/32", "dev", "eth0")
    outside.ip("-6", "route", "add", "2001:db8::7/128", "dev", "eth0")
    uplink = node.config["uplinks"][0]
    uplink["addresses"] = ["192.0.2.7/32", "2001:db8::7/128"]
    uplink["gateway"] = ["198.51.100.1", "2001:db8:9::1"]
    node.start()
    pod = node.add_pod("p")
    for what, client in (("a pod", pod.namespace), ("the node", node.namespace)):
        for address in ("198.51.100.1", "2001:db8:9::1", "203.0.113.1"):
            with report.check(f"{what} reaches {address} by a gateway outside of its /32 or /128"):
                lab.expect_ping(client, address, count=3)


@lab.with_cluster(names=("a",), start=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    dhcp_like(report, cluster, node)
    on_link_gateway(report, cluster, node)


if __name__ == "__main__":
    lab.main(tests)
