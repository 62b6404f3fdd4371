"""Datagrams of 4,000 bytes through every translation, fragmented by the kernels; and fragmented by
hand, in every order."""

import hashlib
import itertools

import cluster as lab
import frames
from checks import expect, expect_equal
from lab import objects

FAMILIES = (4, 6)
SIZE = 4000
NODE_PORT = 30090


def cluster_ip(family, number):
    return f"fd00:10:96::{number:x}" if family == 6 else f"10.96.0.{number}"


def make(cluster, family, number, pod, node_port=None):
    """A UDP Service with one endpoint; returns its ClusterIP."""
    address, name = cluster_ip(family, number), f"big{number}-{family}"
    port = objects.port(80, lab.UDP, name="udp", protocol="UDP", node_port=node_port)
    cluster.apply(
        objects.service(name, [address], [port]),
        objects.endpoint_slice(name, [objects.endpoint(pod.address(family), pod.node.name)],
                               [("udp", "UDP", lab.UDP)], family=family))
    return address


def ask(client, address, port, count=20):
    """Big datagrams there and back; the answers as [server, our address as seen there]."""
    # Both ends may first have to learn the path MTU to each other.
    for _ in range(2):
        lab.call(client, "ask_udp", check=False, address=address, port=port, size=SIZE)
    seen = lab.call(client, "ask_udp", address=address, port=port, count=count, size=SIZE)
    expect_equal(seen["lost"] + seen["damaged"], 0, "lost or damaged")
    return {tuple(answer) for answer in seen["answers"]}


def from_pods(report, family, client, services):
    for where, pod, address in services:
        with report.check(f"IPv{family}: through a ClusterIP to an endpoint {where}, and back"):
            expect_equal(ask(client.namespace, address, 80),
                         {(pod.name, client.address(family))}, "server and client")
        with report.check(f"IPv{family}: to a pod {where} without a Service, and back"):
            expect_equal(ask(client.namespace, pod.address(family), lab.UDP),
                         {(pod.name, client.address(family))}, "server and client")


def outwards(report, cluster, family, client):
    outside, node = cluster.outside_address(family), cluster.nodes["a"]
    with report.check(f"IPv{family}: masqueraded to outside, and back"):
        expect_equal(ask(client.namespace, outside, lab.UDP),
                     {("outside", node.address(family))}, "server and client")
    with report.check(f"IPv{family}: ping of {SIZE} bytes to outside"):
        lab.expect_ping(client.namespace, outside, size=SIZE, count=5)


def inwards(report, cluster, family, pods):
    for node in cluster.nodes.values():
        for number, pod in pods:
            with report.check(f"IPv{family}: outside to a NodePort of {node.name}, served by "
                              f"{pod.name}, and back"):
                answers = ask(cluster.outside, node.address(family), NODE_PORT + number)
                expect_equal({server for server, _ in answers}, {pod.name}, "servers")


def by_hand(report, family, client, services):
    """One datagram in four fragments, in each of their 24 orders, and in fragments of 8 bytes."""
    gateway = client.node.gateway(family)
    lab.expect_ping(client.namespace, gateway, count=1)
    target_mac = client.namespace.ip_json("neigh", "show", gateway)[0]["lladdr"]
    source_mac = client.namespace.ip_json("link", "show", "eth0")[0]["address"]
    data = bytes(range(256)) * 4

    def frames_of(address, identifier, size):
        packet = frames.udp(client.address(family), address, 5000, 80, data)
        return [frames.ethernet(source_mac, target_mac, frames.ether_type(part), part).hex()
                for part in frames.fragments(packet, size, identifier)]

    orders = list(itertools.permutations(range(4)))
    for where, pod, address in services:
        expected = [pod.name, client.address(family), hashlib.sha256(data).hexdigest()]
        made = [[frames_of(address, 1000 + number, 264)[i] for i in order]
                for number, order in enumerate(orders)]
        made.append(list(reversed(frames_of(address, 2000, 24))))
        with report.check(f"IPv{family}: four fragments in every order, and 43 backwards, to an "
                          f"endpoint {where}"):
            answers = lab.call(client.namespace, "ask_in_frames", interface="eth0",
                               source_port=5000, datagrams=made)
            for order, answer in zip([*orders, "backwards"], answers, strict=True):
                expect_equal(answer, expected, f"order {order}")


def start(cluster):
    """The nodes with TAPs as uplinks: with net_af_packet the kernel would first reassemble IPv4
    fragments."""
    for node in cluster.nodes.values():
        node.config["uplinks"][0]["device"] = "net_tap0,iface=up0"
        node.start()
        node.namespace.ip("link", "add", "joint", "type", "bridge", "forward_delay", "0",
                          "mcast_snooping", "0")
        # By default it has the uplink's MAC, and the bridge would keep frames for that.
        node.namespace.ip("link", "set", "up0", "address", f"02:00:00:00:77:{node.number:02x}")
        for name in ("eth1", "up0"):
            node.namespace.ip("link", "set", name, "master", "joint", "up")
        node.namespace.ip("link", "set", "joint", "up")
    cluster.apply(*cluster.node_objects())


@lab.with_cluster(start=False)
def tests(report, options, cluster):
    start(cluster)
    client = cluster.pod("a", "client")
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    lab.serve(cluster.outside, "outside")
    for family in FAMILIES:
        services = [("here", here, make(cluster, family, 70, here, NODE_PORT + family)),
                    ("there", there, make(cluster, family, 71, there, NODE_PORT + 10 + family))]
        from_pods(report, family, client, services)
        by_hand(report, family, client, services)
        inwards(report, cluster, family, [(family, here), (10 + family, there)])
        outwards(report, cluster, family, client)
    with report.check("no fragment was taken for a bad one"):
        for node in cluster.nodes.values():
            named = {name for name in node.drops() if name.startswith("fragment")}
            # A first fragment that is too big is lost further on; later fragments lack it there.
            expect(named <= {"fragment_no_first"}, f"{node.name}: {node.drops()}")


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
