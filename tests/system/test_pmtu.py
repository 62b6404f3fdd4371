"""Path MTU discovery through every translation: if a packet is too big somewhere, its sender gets
an error that quotes the packet as it was sent, and the transfer goes on with smaller ones.

    far --(1300)-- outside --- wire --- node a, node b     far: 198.51.100.2, fd51::2
"""

import re

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from lab import objects
from lab.net import Namespace, add_addresses, offloads_off, wait_until

FAMILIES = (4, 6)
NARROW = 1300
TUNNEL = {4: 1450, 6: 1430}  # the outer header has the pods' family
FAR = {4: "198.51.100.2", 6: "fd51::2"}
NODE_PORT = 30150


def make_far(outside):
    """A client and server behind a narrow link that its peers do not know about."""
    far = Namespace("far")
    outside.ip("link", "add", "far0", "mtu", NARROW, "type", "veth", "peer", "name", "eth0",
               "mtu", NARROW, "netns", far.name)
    for namespace, interface, ends in ((outside, "far0", ["198.51.100.1/24", "fd51::1/64"]),
                                       (far, "eth0", ["198.51.100.2/24", "fd51::2/64"])):
        add_addresses(namespace, interface, ends)
        namespace.ip("link", "set", interface, "up")
        offloads_off(namespace, interface)
    outside.sysctl("net.ipv4.ip_forward", 1)
    outside.sysctl("net.ipv6.conf.all.forwarding", 1)
    far.ip("route", "add", "default", "via", "198.51.100.1", "advmss", 1460)
    far.ip("-6", "route", "add", "default", "via", "fd51::1", "advmss", 1440)
    lab.serve(far, "far")
    return far


def cluster_ip(family, number):
    return f"fd00:10:96::{number:x}" if family == 6 else f"10.96.0.{number}"


def make(cluster, family, number, address, node_name, node_port=None):
    """A TCP Service with one endpoint anywhere; returns its ClusterIP."""
    frontend, name = cluster_ip(family, number), f"mtu{number}-{family}"
    cluster.apply(
        objects.service(name, [frontend],
                        [objects.port(80, lab.BULK, name="bulk", node_port=node_port)]),
        objects.endpoint_slice(name, [objects.endpoint(address, node_name)],
                               [("bulk", "TCP", lab.BULK)], family=family))
    return frontend


def learned_mtu(namespace, address):
    """The path MTU to an address that a namespace's kernel has learned; None: none."""
    found = re.search(r"\bmtu (\d+)", namespace.ip("route", "get", address).stdout)
    return int(found.group(1)) if found else None


def transfer(report, name, client, address, port, told, *, whom=None, about=None, mtu=NARROW):
    """Both ways complete; `told` has learned the path MTU to `about`, and only by this transfer."""
    about = about or address
    with report.check(f"{name}: the transfer is whole"):
        told.ip("-6" if ":" in about else "-4", "route", "flush", "cache")
        expect_equal(learned_mtu(told, about), None, "known before")
        lab.expect_bulk(client, address, 2 * lab.MEBI, port=port)
    with report.check(f"{name}: {whom or 'the client'} knows the path's MTU, {mtu}"):
        expect_equal(learned_mtu(told, about), mtu)


def in_the_cluster(report, cluster, family, here, there):
    service = make(cluster, family, 150, there.address(family), there.node.name)
    transfer(report, f"IPv{family}: a pod to a ClusterIP, through the tunnel", here.namespace,
             service, 80, here.namespace, mtu=TUNNEL[family])


def from_outside(report, cluster, family, far, there):
    """To a NodePort of node a, with an endpoint on node b."""
    node, name = cluster.nodes["a"], f"IPv{family}: outside to a NodePort"
    port = NODE_PORT + family
    make(cluster, family, 151, there.address(family), there.node.name, port)
    transfer(report, f"{name}, through the tunnel", cluster.outside, node.address(family), port,
             cluster.outside, mtu=TUNNEL[family])
    with Capture(there.namespace, "eth0", "icmp or icmp6") as errors:
        transfer(report, f"{name}, from behind a narrow link", far, node.address(family), port,
                 there.namespace, whom="the endpoint", about=node.gateway(family))
    told = [p for p in errors.listing() if "need to frag" in p or "too big" in p]
    with report.check(f"{name}: the endpoint was told through the tunnel and both translations"):
        expect(told, "no error captured at the endpoint")
    lab.expect_clean(report, errors, f"{name}: no bad checksum in the errors")


def to_outside(report, cluster, family, here):
    transfer(report, f"IPv{family}: masqueraded to behind a narrow link", here.namespace,
             FAR[family], lab.BULK, here.namespace)
    service = make(cluster, family, 152, FAR[family], None)
    transfer(report, f"IPv{family}: a ClusterIP of a server behind a narrow link", here.namespace,
             service, 80, here.namespace)


@lab.with_cluster(start=False)
def tests(report, options, cluster):
    for node in cluster.nodes.values():
        node.config["uplinks"][0]["gateway"] = ["192.168.50.254", "fd50::fe"]
    cluster.start()
    far = make_far(cluster.outside)
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    for pod in (here, there):
        pod.namespace.ip("link", "set", "eth0", "mtu", 1500)
    try:
        for family in FAMILIES:
            wait_until(lambda: lab.ping(here.namespace, FAR[family], count=1, wait=1)[0], 10,
                       f"ping {FAR[family]} from a pod")
            in_the_cluster(report, cluster, family, here, there)
            from_outside(report, cluster, family, far, there)
            to_outside(report, cluster, family, here)
    finally:
        far.close()


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
