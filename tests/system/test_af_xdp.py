"""A kernel interface as uplink by AF_XDP: frames as they are on the wire.

net_af_packet gets datagrams that the kernel has reassembled, and loses those that its ring cannot
hold. AF_XDP replaces it.
"""

import cluster as lab
from checks import expect_equal
from lab import objects
from lab.net import CommandFailed, wait_until
from test_contract import FAMILIES, cluster_ip
from test_fragments import ask

BIG = 20000
NODE_PORT = 30096


def fragments(report, cluster, family, pod):
    node, outside = cluster.nodes["a"], cluster.outside_address(family)
    for what, client, target in (("from outside to the node", cluster.outside,
                                  node.address(family)),
                                 ("from a pod to outside", pod.namespace, outside),
                                 ("from the node to outside", node.namespace, outside)):
        # Either end may first have to learn the path MTU.
        lab.ping(client, target, size=BIG, count=2, wait=1)
        with report.check(f"IPv{family}: a ping of {BIG} bytes in fragments, {what}"):
            lab.expect_ping(client, target, size=BIG, count=3)
    with report.check(f"IPv{family}: big datagrams from outside to a NodePort"):
        seen = ask(cluster.outside, node.address(family), NODE_PORT + family)
        expect_equal({server for server, _ in seen}, {pod.name})


def streams(report, cluster, family, pod):
    with report.check(f"IPv{family}: 2 MiB each way between a pod and outside"):
        lab.expect_bulk(pod.namespace, cluster.outside_address(family), 2 * lab.MEBI)


@lab.with_cluster(names=("a",), start=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    node.config["uplinks"][0]["device"] = "net_af_xdp0,iface=eth1"
    try:
        cluster.start()
    except CommandFailed as refused:
        report.skip("big fragments through net_af_xdp", f"no AF_XDP here: {str(refused)[-200:]}")
        return
    lab.serve(cluster.outside, "outside")
    pod = cluster.pod("a", "p")
    for family in FAMILIES:
        name = f"big{family}"
        port = objects.port(80, lab.UDP, name="udp", protocol="UDP", node_port=NODE_PORT + family)
        cluster.apply(
            objects.service(name, [cluster_ip(family, 70)], [port]),
            objects.endpoint_slice(name, [objects.endpoint(pod.address(family), node.name)],
                                   [("udp", "UDP", lab.UDP)], family=family))
        fragments(report, cluster, family, pod)
        streams(report, cluster, family, pod)
    with report.check("one that was killed is followed by another on the same interface"):
        node.daemon.popen.kill()
        node.daemon.popen.wait()
        node.start()
        wait_until(lambda: lab.ping(cluster.outside, node.address(4), count=1, size=BIG)[0], 10,
                   "the node answers again")


if __name__ == "__main__":
    lab.main(tests)
