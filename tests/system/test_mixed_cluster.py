"""One cluster of a Podlane node and a node of bridge, kernel VXLAN and nftables Service rules.

The kernel node is set up as by flannel and kube-proxy (nftables mode). It learns of the Podlane
node from the annotations that podlaned prints, as flannel does from the Node object; the Podlane
node learns of it from its Node object.
"""

import json
import shutil

import cluster as lab
from checks import expect, expect_equal
from flannel import FlannelNode
from lab import objects
from lab.node import Node

FAMILIES = (4, 6)
PREFIX = "flannel.alpha.coreos.com/"
CLUSTER_PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
CLUSTER_IPS = {4: "10.96.0.20", 6: "fd00:10:96::14"}
NODE_PORT = 30080

# kube-proxy's rules in short: DNAT to one of the endpoints; traffic to a NodePort or not from a
# pod, and from a pod to an endpoint on its own node, is masqueraded to the node.
RULES = """
table {ip} services {{
  chain service {{
    meta l4proto tcp dnat to numgen inc mod 2 map {{ 0 : {ours}, 1 : {theirs} }} : {port}
  }}
  chain entry {{
    {ip} daddr {cluster_ip} {ip} saddr != {cluster} meta mark set meta mark or 0x4000
    {ip} daddr {cluster_ip} tcp dport 80 jump service
    {ip} daddr {node} tcp dport {node_port} meta mark set meta mark or 0x4000 jump service
  }}
  chain prerouting {{ type nat hook prerouting priority dstnat; jump entry; }}
  chain output {{ type nat hook output priority -100; jump entry; }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    meta mark and 0x4000 == 0x4000 masquerade
    {ip} saddr {pods} {ip} daddr {pods} masquerade
  }}
}}
"""


class Learned:
    """A Node's annotations as flannel reads them: a peer for FlannelNode.add_peer()."""

    def __init__(self, number, annotations):
        self.number = number
        self.addresses = [annotations[PREFIX + "public-ip"], annotations[PREFIX + "public-ipv6"]]
        macs = {json.loads(annotations[PREFIX + key])["VtepMAC"]
                for key in ("backend-data", "backend-v6-data")}
        expect_equal(len(macs), 1, "VTEP MACs")
        self.vtep_mac = macs.pop()


def make_services(cluster, kernel, ours, theirs):
    """The same Service on both nodes, with objects here and rules there."""
    for family in FAMILIES:
        made = objects.service(f"mixed{family}", [CLUSTER_IPS[family]],
                               [objects.port(80, lab.LINES, node_port=NODE_PORT + family)],
                               type="NodePort")
        ends = [objects.endpoint(ours.address(family), "node-a"),
                objects.endpoint(theirs.address(family), kernel.name)]
        cluster.apply(made, objects.endpoint_slice(f"mixed{family}", ends,
                                                   [("main", "TCP", lab.LINES)], family=family))
        kernel.namespace.run(["nft", "-f", "-"], stdin=RULES.format(
            ip="ip6" if family == 6 else "ip", ours=ours.address(family),
            theirs=theirs.address(family), port=lab.LINES, cluster_ip=CLUSTER_IPS[family],
            cluster=CLUSTER_PODS[family], node=kernel.addresses[family == 6],
            node_port=NODE_PORT + family,
            pods=kernel.pod_cidrs[family == 6]))


def both_answer(report, what, namespace, address, port):
    with report.check(f"{what}: the endpoints of both nodes answer"):
        seen = lab.call(namespace, "ask", address=address, port=port, count=20)
        expect_equal({name for name, _ in seen}, {"ours", "theirs"}, "servers")


def services(report, node, kernel, client, neighbour):
    places = {"a pod of the Podlane node": client.namespace,
              "a pod of the kernel node": neighbour.namespace,
              "the Podlane node": node.namespace, "the kernel node": kernel.namespace}
    for family in FAMILIES:
        for place, namespace in places.items():
            both_answer(report, f"IPv{family}, ClusterIP, from {place}", namespace,
                        CLUSTER_IPS[family], 80)
        port = NODE_PORT + family
        both_answer(report, f"IPv{family}, NodePort of the kernel node, from {client.name}",
                    client.namespace, kernel.addresses[family == 6], port)
        both_answer(report, f"IPv{family}, NodePort of the Podlane node, from {neighbour.name}",
                    neighbour.namespace, node.address(family), port)


def sources(report, kernel, ours, theirs):
    """Pods see each other's own addresses, whichever node translates."""
    for family in FAMILIES:
        for one, other in ((ours, theirs), (theirs, ours)):
            with report.check(f"IPv{family}: {other.name} sees {one.name}'s own address behind "
                              "the ClusterIP"):
                seen = lab.call(one.namespace, "ask", address=CLUSTER_IPS[family], port=80,
                                count=10)
                expect({source for name, source in seen if name == other.name}
                       == {one.address(family)}, str(seen))


def reach_each_other(report, when, one, other):
    for family in FAMILIES:
        with report.check(f"IPv{family}, {when}: pods of both nodes reach each other"):
            lab.expect_ping(one.namespace, other.address(family))
            lab.expect_ping(other.namespace, one.address(family))
            seen = lab.call(one.namespace, "ask", address=other.address(family), port=lab.LINES)
            expect_equal(seen, [[other.name, one.address(family)]], "server and source")


def migration(report, cluster, kernel, client):
    """The kernel node, drained, becomes a Podlane node with the same addresses; and back."""
    node = cluster.nodes["a"]
    cluster.others.remove(kernel)
    kernel.close()
    moved = cluster.nodes["k"] = Node(kernel.name, kernel.number, cluster.wire)
    moved.start()
    cluster.apply(*cluster.node_objects())
    reach_each_other(report, "moved to Podlane", client, cluster.pod("k", "moved"))
    del cluster.nodes["k"]
    moved.close()
    again = FlannelNode(kernel.name, kernel.number, cluster.wire)
    cluster.others.append(again)
    again.add_peer(Learned(node.number, node.json("flannel")["annotations"]))
    cluster.apply(*cluster.node_objects())
    for family in FAMILIES:  # its NIC is another one; neighbours learn it from its requests
        lab.expect_ping(again.namespace, node.address(family))
    back = again.add_pod("back")
    lab.serve(back.namespace, back.name)
    reach_each_other(report, "back with flannel", client, back)


@lab.with_cluster(names=("a",), overlay="vxlan", start=False, outside=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    kernel = FlannelNode("node-k", 3, cluster.wire)
    cluster.others.append(kernel)
    cluster.start()
    with report.check("the kernel node learns of the Podlane node by its annotations"):
        learned = Learned(node.number, node.json("flannel")["annotations"])
        expect_equal(learned.addresses, node.addresses, "public-ip")
        kernel.add_peer(learned)
    ours, client = cluster.pod("a", "ours"), cluster.pod("a", "client", servers=False)
    theirs, neighbour = kernel.add_pod("theirs"), kernel.add_pod("neighbour")
    lab.serve(theirs.namespace, theirs.name)
    reach_each_other(report, "at first", client, theirs)
    for family in FAMILIES:  # as by the default route that nodes have
        kernel.namespace.ip(f"-{family}", "route", "add", CLUSTER_IPS[family], "dev", "eth1")
    make_services(cluster, kernel, ours, theirs)
    services(report, node, kernel, client, neighbour)
    sources(report, kernel, ours, theirs)
    migration(report, cluster, kernel, client)


if __name__ == "__main__":
    if shutil.which("nft") is None:
        print("1..0 # SKIP nft is not installed")
    else:
        lab.main(tests, workers=1)
