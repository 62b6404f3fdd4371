"""Pods of two Podlane nodes, over VXLAN, Geneve and direct routes."""

import re

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from lab import objects

FAMILIES = (4, 6)
# The uplinks' MTU in the direct mode: pods have 1500, so the path is narrower than their ports.
NARROW = 1400
# How tcpdump shows each overlay's packets; some it recognizes only with an option.
SHOWN = {"vxlan": ("VXLAN", "vni 1"), "geneve": ("Geneve", "vni 0x1:"), "direct": ()}


def sizes(options, family):
    """100 MB over each overlay once; the other combinations move enough to see reordering."""
    return (100 if family == 4 and options.workers == 1 else 20) * lab.MEBI


def talk(report, options, family, here, there):
    with report.check(f"IPv{family}: pods of two nodes ping each other"):
        lab.expect_ping(here.namespace, there.address(family))
        lab.expect_ping(there.namespace, here.address(family))
    with report.check(f"IPv{family}: the TTL falls by one at each of the two nodes"):
        _, output = lab.ping(here.namespace, there.address(family), count=1)
        expect_equal(re.search(r"ttl=(\d+)", output).group(1), "62")
    with report.check(f"IPv{family}: UDP comes back unchanged and shows the pod's own address"):
        for size in (1, 1300):
            seen = lab.call(here.namespace, "ask_udp", address=there.address(family), port=lab.UDP,
                            count=100, size=size)
            expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{size} bytes: {seen}")
            expect_equal(seen["answers"][0], [there.name, here.address(family)])
    size = sizes(options, family)
    with Capture(there.namespace, "eth0") as server, Capture(here.namespace, "eth0") as client:
        with report.check(f"IPv{family}: TCP moves {size // lab.MEBI} MiB each way, unchanged"):
            rate = lab.expect_bulk(here.namespace, there.address(family), size)
            report.note(f"{rate:.0f} MB/s")
    lab.expect_clean(report, server, f"IPv{family}: no bad checksum at the server", least=100)
    lab.expect_clean(report, client, f"IPv{family}: no bad checksum at the client", least=100)
    with report.check(f"IPv{family}: a closed port of a pod elsewhere refuses"):
        seen = lab.call(here.namespace, "refused", address=there.address(family), port=9)
        expect_equal(seen["how"], "refused")


def on_the_wire(report, options, cluster, family, here, there):
    """Traffic between the nodes, captured on the wire's bridge."""
    port = cluster.nodes["b"].wire_port
    with Capture(cluster.wire.namespace, port, direction="out") as wire:
        with report.check(f"IPv{family}: 2 MiB each way under a capture on the wire"):
            lab.expect_bulk(here.namespace, there.address(family), 2 * lab.MEBI)
    decode = ("-T", "vxlan") if options.overlay == "vxlan" else ()
    lab.expect_clean(report, wire, f"IPv{family}: no bad checksum on the wire", *decode, least=100)
    with report.check(f"IPv{family}: pod packets travel as {options.overlay} on the wire"):
        packets = wire.listing(*decode)
        pods = [p for p in packets if here.address(family) + "." in p or
                here.address(family) + " " in p]
        expect(len(pods) > 100, f"{len(pods)} of {len(packets)} packets show the pod's address")
        for overlay, words in SHOWN.items():
            inside = [p for p in pods if words and all(word in p for word in words)]
            expect_equal(len(inside), len(pods) if words and overlay == options.overlay else 0,
                         f"of them in {overlay} with VNI 1")


def mtu(report, cluster, family, here, there):
    """The path is narrower than the pod's interface: Podlane decides, not the pod's kernel."""
    headers = 28 if family == 4 else 48
    address = there.address(family)
    auto = here.namespace.ip_json("link", "show", "eth0")[0]["mtu"]
    # A tunnel over IPv4 takes 50 bytes of the uplink's 1500, over IPv6 it takes 70.
    least, most = (NARROW, NARROW)
    if cluster.overlay != "direct":
        least, most = (1450, 1450) if family == 4 else (1430, 1450)
    here.namespace.ip("link", "set", "eth0", "mtu", "1500")
    with report.check(f"IPv{family}: a packet of the path's MTU passes with DF"):
        lab.expect_ping(here.namespace, address, size=least - headers, dont_fragment=True, count=5)
    with report.check(f"IPv{family}: a bigger one with DF comes back with the path's MTU"):
        _, output = lab.ping(here.namespace, address, count=3, interval=0.2, wait=1,
                             size=1500 - headers, dont_fragment=True)
        found = re.search(r"mtu[ =:]*(\d+)", output)
        expect(found, f"no word of the MTU: {output}")
        expect(least <= int(found.group(1)) <= most, f"{found.group(0)}, not {least} to {most}")
    with report.check(f"IPv{family}: TCP finds the path's MTU"):
        lab.expect_bulk(here.namespace, address, lab.MEBI)
    with report.check(f"IPv{family}: big packets without DF pass, or are dropped by name"):
        # net_af_packet reassembles fragments on receipt and cuts the datagram to its buffer: on
        # such an uplink it is dropped as ip_bad_total_length at the receiving node.
        before = {name: node.drops() for name, node in cluster.nodes.items()}
        received, output = lab.ping(here.namespace, address, count=3, wait=1, size=4000)
        named = {f"{name}: {reason}": count - before[name].get(reason, 0)
                 for name, node in cluster.nodes.items()
                 for reason, count in node.drops().items()
                 if count > before[name].get(reason, 0)}
        expect(received == 3 or named, f"{received} of 3 came back, no drop named: {output}")
    here.namespace.ip("link", "set", "eth0", "mtu", str(auto))


def peer_counts(node, other):
    """What `peers` of a node says of another one, by field; the first call turns counting on."""
    rpc = node.rpc()
    told = rpc.call("peers")
    rpc.close()
    found = [row for row in told["peers"] if row["node"] == other]
    expect_equal(len(found), 1, f"{other} in {told}")
    return {"milliseconds": told["milliseconds"], **found[0]}


def counted(cluster, work):
    """How much each of the two nodes has counted of the other one while `work` was done."""
    names = [(node, other.name) for node, other in
             ((cluster.nodes["a"], cluster.nodes["b"]), (cluster.nodes["b"], cluster.nodes["a"]))]
    before = [peer_counts(*each) for each in names]
    work()
    after = [peer_counts(*each) for each in names]
    return [{key: now[key] - then[key] for key in now if key != "node"}
            for then, now in zip(before, after)]


def peers(report, cluster, here, there):
    """Packets and bytes from and to the other node, counted while somebody looks."""
    size = 4 * lab.MEBI
    for family in FAMILIES:
        with report.check(f"IPv{family}: each node counts the other's packets and bytes, alike"):
            one, other = counted(cluster, lambda address=there.address(family): lab.expect_bulk(
                here.namespace, address, size))
            for name, seen in (("a", one), ("b", other)):
                expect(seen["milliseconds"] > 0, f"{name}: {seen}")
                for way in ("rxBytes", "txBytes"):
                    expect(size < seen[way] < 1.3 * size, f"{name}: {way} of {size}: {seen}")
            for sent, received in (("txPackets", "rxPackets"), ("txBytes", "rxBytes"),
                                   ("rxPackets", "txPackets"), ("rxBytes", "txBytes")):
                # A few more may have come in between, or found no room in a device.
                expect(abs(one[sent] - other[received]) <= 0.02 * one[sent] + 20,
                       f"a's {sent} and b's {received}: {one}, {other}")
    with report.check("top shows the other node's rates"):
        load = lab.spawn_call(here.namespace, "load", address=there.address(4), port=lab.LINES,
                              clients=2, held=1, seconds=30, pause=0.01)
        text = cluster.nodes["a"].ctl("top", "--count", "3").stdout
        load.stop()
        expect(re.search(r"^NODE +IN P/S +IN BIT/S +OUT P/S +OUT BIT/S\nnode-b +[1-9]", text,
                         re.MULTILINE), text)


def membership(report, cluster, here, there):
    """A node that leaves is no longer reached; one that joins is reached at once."""
    node = cluster.nodes["a"]
    with report.check("a removed Node is not reached any more, and the pod is told"):
        node.ctl("delete", "-f", "-", stdin=objects.document(cluster.node_objects()[1]))
        received, output = lab.ping(here.namespace, there.address(4), count=2, wait=1)
        expect_equal(received, 0, f"answers; {output}")
    with report.check("a Node added again is reached at once"):
        node.apply(objects.document(cluster.node_objects()[1]))
        received, output = lab.ping(here.namespace, there.address(4), count=3)
        expect(received >= 2, output)


@lab.with_cluster(outside=False, start=False)
def tests(report, options, cluster):
    if options.overlay == "direct":
        for node in cluster.nodes.values():
            node.config["uplinks"][0]["mtu"] = NARROW
            node.config["pods"]["mtu"] = 1500
    cluster.start()
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    for family in FAMILIES:
        talk(report, options, family, here, there)
        on_the_wire(report, options, cluster, family, here, there)
        mtu(report, cluster, family, here, there)
    peers(report, cluster, here, there)
    membership(report, cluster, here, there)
    with report.check("no packet of the transfers was lost for want of room"):
        for node in cluster.nodes.values():
            lost = {reason: count for reason, count in node.drops().items()
                    if reason in ("no_mbuf", "no_headroom", "tx_too_long", "flow_table_full")}
            expect_equal(lost, {}, node.name)


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
