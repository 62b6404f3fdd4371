"""Uplinks on the kernel's NICs by a TAP, and the kernel's shortcut to them.

    one: pod of node a --- wire --- two: pod of node b
                            |
                         outside
"""

import os
import signal
import time

import carrying
import cluster as lab
from capture import Capture
from carrying import end, hold
from checks import expect, expect_equal
from lab.net import wait_until
from lab.node import program

FILE = "/run/lab/kernel-uplink.pcapng"
FAMILIES = (4, 6)
MTU, ETHERNET = 1500, 14


def carried(node, protocol="TCP", **wanted):
    return carrying.carried(node, protocol=protocol, **wanted)


def large_frames(cluster, on):
    """Whether the wire and the nodes' NICs take large frames."""
    word = "on" if on else "off"
    words = ["tx", word, "gso", word, "tso", word, "gro", word]
    for node in cluster.nodes.values():
        for space, name in ((node.namespace, "eth1"), (cluster.wire.namespace, node.wire_port)):
            space.run(["ethtool", "-K", name, *words])


def bulk(report, name, cluster, client, address, size, wire_takes_large):
    """Data compared at both ends, and what passes on the wire and at the pod."""
    port = cluster.nodes["a"].wire_port
    vxlan = ("-T", "vxlan") if address.startswith(("10.244", "fd00")) else ()
    with Capture(cluster.wire.namespace, port, direction="in") as wire, \
            Capture(client.namespace, "eth0", direction="in") as pod:
        with report.check(f"{name}: {size // lab.MEBI} MiB each way, unchanged"):
            rate = lab.expect_bulk(client.namespace, address, size)
            report.note(f"{rate:.0f} MB/s")
    lab.expect_clean(report, pod, f"{name}: no bad checksum at the pod", least=20)
    longest = max(wire.lengths(), default=0)
    if wire_takes_large:
        with report.check(f"{name}: frames pass the wire whole"):
            # Until the kernel carries it, a tenth of a second, a tunnelled connection is cut.
            for more in (64, 256, 1024):
                if longest > 2 * MTU:
                    break
                with Capture(cluster.wire.namespace, port, direction="in") as wire:
                    lab.expect_bulk(client.namespace, address, more * lab.MEBI)
                longest = max(wire.lengths(), default=0)
            expect(longest > 2 * MTU, f"the longest frame has {longest} bytes")
        return
    lab.expect_clean(report, wire, f"{name}: no bad checksum on the wire", *vxlan, least=20)
    with report.check(f"{name}: nothing on the wire is longer than its MTU"):
        expect(0 < longest <= MTU + ETHERNET, f"the longest frame has {longest} bytes")


def established(report, cluster, client, address, name, ends):
    """A connection that nodes carry; `ends`: those."""
    with report.check(f"{name}: the kernel carries the connection"):
        holding = hold(client, address)
        for node in ends:
            wait_until(lambda each=node: carried(each, state="ESTABLISHED"), 5,
                       f"{node.name} carries it")
        node = cluster.nodes["a"]
        before, flow = node.stats()["workers"][0]["rxPackets"], carried(node)[0]
        time.sleep(2.5)
        later = carried(node)
        expect(later, f"not any more: {node.json('get', 'flows')}")
        expect(later[0]["packets"] > flow["packets"], f"counts: {flow} {later[0]}")
        taken = node.stats()["workers"][0]["rxPackets"] - before
        expect(taken < 15, f"a worker has got {taken} packets meanwhile")
    end(report, f"{name}: it ends as it should", holding)
    with report.check(f"{name}: FIN comes to podlaned"):
        wait_until(lambda: not carried(cluster.nodes["a"]), 5, "nothing is carried")


def datagrams(report, client, address, node):
    with report.check(f"UDP to {address}: answers come back unchanged"):
        seen = lab.call(client.namespace, "ask_udp", address=address, port=lab.UDP, count=300,
                        size=900, new_socket=False, gap=0.01)
        expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{seen}")
        mine = [each for each in carried(node, protocol="UDP") if address in each["to"]]
        expect(mine, f"not carried: {node.json('get', 'flows')}")


def looking(report, node, client, server):
    holding = hold(client, server.address(4))
    with report.check("a capture sees the packets of a connection that the kernel carries"):
        wait_until(lambda: carried(node), 5, "it is carried")
        node.ctl("capture", "-c", "6", "-w", FILE, "tcp", "and", "port", str(lab.HELD), timeout=20)
        expect(os.path.getsize(FILE) > 6 * 66, "packets are missing")
        wait_until(lambda: carried(node), 5, "it is carried again")
    end(report, "the connection has lived through it", holding)


def neighbour(report, cluster, client):
    """The host outside gets another MAC address."""
    node = cluster.nodes["a"]
    holding = hold(client, cluster.outside_address(4))
    with report.check("a next hop with another MAC address: the connection goes on there"):
        wait_until(lambda: carried(node), 5, "it is carried")
        cluster.outside.ip("link", "set", "eth0", "address", "02:00:00:0f:0f:0f")
        cluster.outside.run(["ping", "-c", "1", "-W", "1", node.address(4)], check=False)
        with Capture(cluster.outside, "eth0", direction="in") as seen:
            time.sleep(3)
        expect(len(seen.lengths()) > 5, "nothing comes to the new address")
        wait_until(lambda: carried(node), 5, "it is carried again")
    end(report, "the connection has lived through it", holding)


def nic_again(report, cluster, client, server):
    """The NIC is deleted, and one of the same name is made."""
    node = cluster.nodes["a"]
    with report.check("a NIC that is gone is noticed"):
        node.namespace.ip("link", "del", "eth1")
        wait_until(lambda: "its device is gone" in node.daemon.output(), 5, "it is noticed")
    with report.check("and is taken back when it is there again"):
        node.wire_port = cluster.wire.plug(node.namespace, "eth1")
        wait_until(lambda: "its device is back" in node.daemon.output(), 10, "it is back")
        lab.expect_ping(client.namespace, server.address(4), settle=10)
        lab.expect_bulk(client.namespace, server.address(4), 10 * lab.MEBI)
    established(report, cluster, client, server.address(4), "with the new NIC", [node])


def given_back(report, cluster, client, server):
    node = cluster.nodes["a"]
    with report.check("doctor finds an uplink without its program, or without offloads"):
        def doctor():
            return node.namespace.run([program("podlanectl"), "--socket", node.socket, "doctor",
                                       "--all"], check=False).stdout

        large_frames(cluster, True)
        told = doctor()
        expect("uplink0: eth1 has podlane's program, joins and segments frames" in told, told)
        node.namespace.run(["ethtool", "-K", "eth1", "gro", "off", "tso", "off"])
        told = doctor()
        for part in ("eth1 does not join frames", "eth1 does not segment frames"):
            expect(part in told, f'no "{part}" in {told}')
        node.namespace.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"])
        told = doctor()
        expect("podlane's program is not at the ingress of eth1" in told, told)
        node.stop()
        node.start()
    with report.check("--give-back after kill -9: the NIC is the kernel's alone"):
        node.stop(signal.SIGKILL)
        expect(ingress_of(node), "the programs have gone with podlaned")
        node.namespace.run([program("podlaned"), "--config", node.config_path, "--give-back"])
        expect(not ingress_of(node), "the NIC's ingress is still ours")
    with report.check("and it can be taken again"):
        node.start()
        lab.expect_ping(client.namespace, server.address(4), settle=10)


def ingress_of(node):
    text = node.namespace.run(["tc", "qdisc", "show", "dev", "eth1"]).stdout
    return "clsact" in text


def in_tunnel(report, options, cluster):
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    client, server = cluster.pod("a", "one"), cluster.pod("b", "two")
    lab.serve(cluster.outside, "outside")
    for space, name in ((server.namespace, "two"), (cluster.outside, "outside")):
        lab.keep_answering(space, name)
    for family in FAMILIES:
        for address in (server.address(family), cluster.outside_address(family)):
            lab.expect_ping(client.namespace, address, settle=10)
        # IPv6 is in a tunnel over IPv6, which podlaned carries.
        if family == 4:
            established(report, cluster, client, server.address(4), "IPv4, to another node", [a, b])
            datagrams(report, client, server.address(4), a)
        established(report, cluster, client, cluster.outside_address(family),
                 f"IPv{family}, to outside", [a])
        datagrams(report, client, cluster.outside_address(family), a)
    for large in (False, True):
        large_frames(cluster, large)
        how = "a wire of large frames" if large else "a wire of single frames"
        for family in FAMILIES:
            for what, address in (("another node", server.address(family)),
                                  ("outside", cluster.outside_address(family))):
                bulk(report, f"IPv{family}, to {what}, {how}", cluster, client, address,
                     options.size * lab.MEBI,
                     large and (family == 4 or what == "outside"))
    large_frames(cluster, False)
    with lab.whole_checksums(client, server), \
            report.check("the same with checksums that the pods finish"):
        for family in FAMILIES:
            lab.expect_bulk(client.namespace, server.address(family), 10 * lab.MEBI)
    looking(report, a, client, server)
    neighbour(report, cluster, client)
    carrying.restarts(report, a, client, lambda: hold(client, server.address(4), count=3),
                      lambda: (lab.expect_ping(client.namespace, server.address(4)),
                               lab.expect_bulk(client.namespace, server.address(6),
                                               10 * lab.MEBI)))
    given_back(report, cluster, client, server)
    nic_again(report, cluster, client, server)


def direct(report, options, cluster):
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    client, server = cluster.pod("a", "one"), cluster.pod("b", "two")
    lab.keep_answering(server.namespace, "two")
    for family in FAMILIES:
        lab.expect_ping(client.namespace, server.address(family), settle=10)
        established(report, cluster, client, server.address(family), f"IPv{family}, routed", [a, b])
        lab.expect_bulk(client.namespace, server.address(family), options.size * lab.MEBI)


def tests(report, options):
    cluster = lab.Cluster(driver="net_tc", overlay=options.overlay, start=False, keep=True)
    for node in cluster.nodes.values():
        node.config["pods"]["shortcut"] = "auto"
        node.config["flows"]["counters"] = True
    try:
        cluster.start()
        if "podlaned carries everything" in cluster.nodes["a"].daemon.output():
            raise lab.Unavailable("no BPF here")
        with report.check("the programs are on the NIC"):
            expect(ingress_of(cluster.nodes["a"]), "no clsact")
        (direct if options.overlay == "direct" else in_tunnel)(report, options, cluster)
        with report.check("nothing is left behind"):
            for node in cluster.nodes.values():
                node.end()
                expect_equal(node.leftovers(), [])
                left = [each for each in node.namespace.links() if each.startswith("pl")]
                expect_equal(left, [])
                expect(not ingress_of(node), "the NIC's ingress is still ours")
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests, overlay="vxlan", size=4)
