"""Frames of many segments (TSO, USO): whole between pods, in pieces on the wire, joined behind it.

    here, near: pods of node a --- wire --- there: pod of node b
                                    |
                                 outside
"""

import contextlib

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until

FAMILIES = (4, 6)
ETHERNET = 14
SERVICE = {4: "10.96.0.170", 6: "fd00:10:96::170"}


def widen(cluster, mtu):
    """Gives the wire and all its interfaces another MTU, before the daemons start."""
    ends = [(cluster.wire.namespace, name) for name in cluster.wire.namespace.links()
            if name.startswith("port")]
    ends += [(node.namespace, "eth1") for node in cluster.nodes.values()]
    ends += [(cluster.outside, "eth0"), (cluster.wire.namespace, "br0")]
    for namespace, interface in ends:
        namespace.ip("link", "set", interface, "mtu", mtu)
    for node in cluster.nodes.values():
        node.config["uplinks"][0]["mtu"] = mtu
        node.config["memory"]["mbufBytes"] = mtu + 676


@contextlib.contextmanager
def cut_by_the_pods(pods):
    """Makes the pods' kernels segment what they send."""
    for pod in pods:
        pod.namespace.run(["ethtool", "-K", "eth0", "tso", "off", "gso", "off"])
    yield
    for pod in pods:
        pod.namespace.run(["ethtool", "-K", "eth0", "tso", "on", "gso", "on"])


def transfer(report, name, client, address, port, size):
    with report.check(f"{name}: {size // lab.MEBI} MiB each way, unchanged"):
        rate = lab.expect_bulk(client, address, size, port=port)
        report.note(f"{rate:.0f} MB/s")


def between_pods(report, name, here, near, address, port, size, whole):
    """Within the node, seen at the server."""
    with Capture(near.namespace, "eth0") as seen:
        transfer(report, name, here.namespace, address, port, size)
    lab.expect_clean(report, seen, f"{name}: no bad checksum at the server", least=20)
    most = max(seen.lengths(), default=0)
    mtu = int(here.namespace.ip_json("link", "show", "eth0")[0]["mtu"])
    with report.check(f"{name}: frames come {'whole' if whole else 'cut'}"):
        expect((most > 2 * mtu) == whole, f"the longest has {most} bytes, MTU {mtu}")


def over_the_wire(report, name, cluster, client, address, size, mtu, decode):
    """To another node or outside, seen on the wire and at the server."""
    port = cluster.nodes["a"].wire_port
    with Capture(cluster.wire.namespace, port, direction="in") as wire:
        transfer(report, name, client, address, lab.BULK, size)
    lab.expect_clean(report, wire, f"{name}: no bad checksum on the wire", *decode, least=20)
    most = max(wire.lengths(), default=0)
    with report.check(f"{name}: nothing on the wire is longer than its MTU"):
        expect(0 < most <= mtu + ETHERNET, f"the longest frame has {most} bytes")


def datagrams(report, name, here, address):
    with report.check(f"{name}: datagrams handed over in one piece come as themselves"):
        seen = lab.call(here.namespace, "ask_udp_at_once", address=address, port=lab.UDP,
                        count=40, size=1200)
        expect_equal(seen, {"lost": 0, "damaged": 0})


def all_paths(report, options, cluster, family, pods, whole):
    here, near, there = pods
    size = options.size * lab.MEBI
    how = f"IPv{family}, {'large frames' if whole else 'cut by the pods'}"
    between_pods(report, f"{how}, pod to pod", here, near, near.address(family), lab.BULK, size,
                 whole)
    between_pods(report, f"{how}, ClusterIP", here, near, SERVICE[family], 80, size, whole)
    decode = ("-T", "vxlan") if options.overlay == "vxlan" else ()
    over_the_wire(report, f"{how}, to another node", cluster, here.namespace,
                  there.address(family), size, options.mtu, decode)
    over_the_wire(report, f"{how}, to outside", cluster, here.namespace,
                  cluster.outside_address(family), size, options.mtu, ())


def joined(report, family, here, there):
    """Frames that come over the wire in pieces, seen in the pod that they are for."""
    name = f"IPv{family}, from another node"
    with Capture(there.namespace, "eth0") as seen:
        transfer(report, name, here.namespace, there.address(family), lab.BULK, 8 * lab.MEBI)
    lab.expect_clean(report, seen, f"{name}: no bad checksum in the pod", least=20)
    mtu = int(there.namespace.ip_json("link", "show", "eth0")[0]["mtu"])
    with report.check(f"{name}: pieces arrive joined"):
        most = max(seen.lengths(), default=0)
        expect(most > 2 * mtu, f"the longest frame has {most} bytes")


@lab.with_cluster(start=False)
def tests(report, options, cluster):
    if options.mtu != 1500:
        widen(cluster, options.mtu)
    for node in cluster.nodes.values():
        node.config["uplinks"][0]["gateway"] = ["192.168.50.254", "fd50::fe"]
    cluster.start()
    lab.serve(cluster.outside, "outside")
    pods = here, near, there = [cluster.pod(*which) for which in
                                (("a", "here"), ("a", "near"), ("b", "there"))]
    for family in FAMILIES:
        cluster.apply(
            objects.service(f"large-{family}", [SERVICE[family]],
                            [objects.port(80, lab.BULK, name="bulk")]),
            objects.endpoint_slice(f"large-{family}",
                                   [objects.endpoint(near.address(family), "node-a")],
                                   [("bulk", "TCP", lab.BULK)], family=family))
        for address in (there.address(family), cluster.outside_address(family)):
            wait_until(lambda a=address: lab.ping(here.namespace, a, count=1, wait=1)[0], 10,
                       f"ping {address}")
        all_paths(report, options, cluster, family, pods, True)
        with cut_by_the_pods(pods):
            all_paths(report, options, cluster, family, pods, False)
        joined(report, family, here, there)
        for name, address in (("a neighbour", near.address(family)),
                              ("another node", there.address(family)),
                              ("outside", cluster.outside_address(family))):
            datagrams(report, f"IPv{family}, to {name}", here, address)
    for node in cluster.nodes.values():
        with report.check(f"{node.name}: no frame was refused"):
            expect_equal({"tx_too_long", "l4_bad_checksum"} & set(node.drops()), set())


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan", mtu=1500, size=4)
