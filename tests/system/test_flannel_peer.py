"""A cluster of a Podlane node and a kernel node set up as flannel does: both ways."""

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from flannel import FlannelNode
from lab import objects

FAMILIES = (4, 6)


def talk(report, family, ours, theirs):
    for one, other in ((ours, theirs), (theirs, ours)):
        way = f"IPv{family}, {one.name} to {other.name}"
        with report.check(f"{way}: ping"):
            lab.expect_ping(one.namespace, other.address(family))
        with report.check(f"{way}: UDP, unchanged, source address kept"):
            seen = lab.call(one.namespace, "ask_udp", address=other.address(family), port=lab.UDP,
                            count=100, size=1200)
            expect(seen["lost"] == 0 and seen["damaged"] == 0, str(seen)[:300])
            expect_equal(seen["answers"][0], [other.name, one.address(family)])
        size = (100 if family == 4 and one is ours else 20) * lab.MEBI
        with Capture(other.namespace, "eth0") as at_server:
            with report.check(f"{way}: TCP moves {size // lab.MEBI} MiB each way, unchanged"):
                rate = lab.expect_bulk(one.namespace, other.address(family), size)
                report.note(f"{rate:.0f} MB/s")
        lab.expect_clean(report, at_server, f"{way}: no bad checksum at the server", least=100)


def tunnel_device(report, family, kernel, ours, theirs):
    """The kernel's own device accepts what Podlane encapsulates: seen after decapsulation."""
    device = "flannel-v6.1" if family == 6 else "flannel.1"
    with Capture(kernel.namespace, device) as inside:
        with report.check(f"IPv{family}: 2 MiB each way under a capture on {device}"):
            lab.expect_bulk(ours.namespace, theirs.address(family), 2 * lab.MEBI)
    lab.expect_clean(report, inside, f"IPv{family}: no bad checksum on {device}", least=100)
    with Capture(kernel.namespace, "eth1", "udp port 8472") as outside:
        with report.check(f"IPv{family}: ten pings under a capture on the uplink, none lost"):
            received, output = lab.ping(ours.namespace, theirs.address(family), count=10,
                                        patient=True)
            expect_equal(received, 10, output)
    lab.expect_clean(report, outside, f"IPv{family}: no bad outer or inner checksum on the uplink",
                     "-T", "vxlan", least=10)
    with report.check(f"IPv{family}: the outer source port is that of the flow, not one for all"):
        ports = {packet.split(" > ")[0].rsplit(".", 1)[-1].split()[0]
                 for packet in _flows(kernel, family, ours, theirs)}
        expect(len(ports) > 1, f"source ports {ports}")


def _flows(kernel, family, ours, theirs):
    with Capture(kernel.namespace, "eth1", "udp port 8472") as outside:
        lab.call(ours.namespace, "ask_udp", address=theirs.address(family), port=lab.UDP, count=20)
    return outside.listing("-q")


def services(report, cluster, kernel, ours, theirs):
    """A pod of the kernel node is an endpoint, although its node knows no Services."""
    for family in FAMILIES:
        address = "fd00:10:96::a" if family == 6 else "10.96.0.10"
        cluster.apply(
            objects.service(f"far{family}", [address], [objects.port(80, lab.LINES)]),
            objects.endpoint_slice(f"far{family}",
                                   [objects.endpoint(theirs.address(family), kernel.name)],
                                   [("main", "TCP", lab.LINES)], family=family),
        )
        with report.check(f"IPv{family}: a ClusterIP whose endpoint is on the kernel node"):
            seen = lab.call(ours.namespace, "ask", address=address, port=80, count=10)
            expect_equal(seen, [[theirs.name, ours.address(family)]] * 10)


@lab.with_cluster(names=("a",), overlay="vxlan", start=False, outside=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    kernel = FlannelNode("node-k", 3, cluster.wire)
    cluster.others.append(kernel)
    kernel.add_peer(node)
    cluster.start()
    ours, theirs = cluster.pod("a", "ours"), kernel.add_pod("theirs")
    lab.serve(theirs.namespace, theirs.name)
    for family in FAMILIES:
        talk(report, family, ours, theirs)
        tunnel_device(report, family, kernel, ours, theirs)
    for family in FAMILIES:
        with report.check(f"IPv{family}: the kernel node's own address reaches a pod"):
            lab.expect_ping(kernel.namespace, ours.address(family))
    services(report, cluster, kernel, ours, theirs)


if __name__ == "__main__":
    lab.main(tests, workers=1)
