"""Broken packets from outside, from a pod and inside the tunnel: dropped by name, never a crash."""

import cluster as lab
import frames
from checks import expect, expect_equal
from lab import objects

BAD_SOURCE = ("ip_bad_address",)
ROUTER_ALERT = b"\x94\x04\x00\x00"


def mac_of(namespace, interface):
    return namespace.ip_json("link", "show", interface)[0]["address"]


def good(family, source, target, service):
    """One valid packet of each kind that a node handles."""
    payload = b"x" * 40
    error = frames.udp(target, source, 80, 4000, payload)
    unreachable, echo = ((1, 4), 128) if family == 6 else ((3, 3), 8)
    made = [
        frames.udp(source, service, 4000, 80, payload),
        frames.udp(source, target, 4000, 9, payload),
        frames.tcp(source, service, 4001, 80, options=b"\x02\x04\x05\xb4\x01\x01\x01\x01"),
        frames.icmp(source, target, echo, 0, b"\0\1\0\1" + payload),
        frames.icmp(source, target, *unreachable, b"\0\0\0\0" + error),
    ]
    return made


def wrong(family, source, target):
    """(what, packet, drop reasons: one of them must count it; none: the node must only survive)."""
    plain = frames.udp(source, target, 4000, 9, b"x" * 40)
    if family == 6:
        cut = plain[:4] + (2000).to_bytes(2, "big") + plain[6:]
        chain = bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 40
        long_chain = frames.ip(source, target, 60, chain + plain[40:])
        fragment = frames.ip(source, target, 44, bytes([17, 0, 1, 1, 0, 0, 0, 9]) + b"x" * 40)
        return [("length beyond the frame", cut, ("ip_bad_total_length", "ip_truncated")),
                ("hop limit 1", plain[:7] + b"\1" + plain[8:], ("ttl_expired",)),
                ("40 extension headers", long_chain, ("ip_too_many_extensions", "l4_truncated")),
                ("a later fragment alone", fragment, ()),
                ("version 5", b"\x50" + plain[1:], ("ip_bad_version",))]
    body = b"x" * 40
    return [
        ("a wrong header checksum", plain[:10] + b"\xde\xad" + plain[12:], ("ip_bad_checksum",)),
        ("a header length of 4 words", b"\x44" + plain[1:], ("ip_bad_header_length",)),
        ("a header length beyond the packet", b"\x4f" + plain[1:20],
         ("ip_bad_header_length", "ip_truncated", "ip_bad_total_length")),
        ("version 5", b"\x55" + plain[1:], ("ip_bad_version",)),
        ("TTL 1", frames.ip(source, target, 17, plain[20:], ttl=1), ("ttl_expired",)),
        ("a loopback source", frames.ip("127.0.0.1", target, 17, plain[20:]), BAD_SOURCE),
        ("a multicast source", frames.ip("224.0.0.5", target, 17, plain[20:]), BAD_SOURCE),
        ("a UDP length beyond the packet", frames.ip(source, target, 17, plain[20:24] +
                                                     b"\xff\xff" + plain[26:]), ("l4_bad_length",)),
        ("a TCP data offset of 1", frames.ip(source, target, 6, b"\0\1\0\2" + b"\0" * 8 +
                                             b"\x10\x02" + b"\0" * 6), ("l4_bad_length",)),
        ("options", frames.ip(source, target, 17, plain[20:], options=ROUTER_ALERT), ()),
        ("a later fragment alone", frames.ip(source, target, 17, body, fragment=185), ()),
        ("a first fragment alone", frames.ip(source, target, 17, plain[20:], fragment=0x2000), ()),
    ]


def alive(report, node, pod, name):
    with report.check(f"{name}: podlaned lives, and the pod still reaches its gateway"):
        node.ctl("health")
        expect(node.daemon.popen.poll() is None, "podlaned ended")
        lab.expect_ping(pod.namespace, node.gateway(4), count=3)


def send(report, node, sender, interface, packets, source_mac, target_mac, name):
    """Sends packets in Ethernet frames and waits until the node has taken them in."""
    made = [packet if isinstance(packet, str) else
            frames.ethernet(source_mac, target_mac, frames.ether_type(packet), packet).hex()
            for packet in packets]
    before = sum(port["rxPackets"] for port in node.stats()["ports"])
    sent = lab.call(sender, "send_frames", interface=interface, frames=made)

    def taken():
        now = sum(port["rxPackets"] for port in node.stats()["ports"])
        return now - before >= 0.9 * sent  # the wire's bridge keeps frames that look like its own

    with report.check(f"{name}: the {sent} frames were taken in"):
        expect(sent >= 0.9 * len(made), f"the kernel sent {sent} of {len(made)}")
        lab.wait_until(taken, 5, "the node counts them")


def named_drops(report, node, sender, interface, source_mac, target_mac, cases, where):
    for what, packet, reasons in cases:
        before = node.drops()
        frame = frames.ethernet(source_mac, target_mac, frames.ether_type(packet), packet)
        if what == "version 5":
            frame = frame[:12] + (b"\x08\x00" if len(packet) < 80 else b"\x86\xdd") + frame[14:]
        lab.call(sender, "send_frames", interface=interface, frames=[frame.hex()] * 10)

        def counted():
            after = node.drops()
            return any(after.get(r, 0) >= before.get(r, 0) + 10 for r in reasons)

        with report.check(f"{where}: {what}: {' or '.join(reasons) or 'survived'}"):
            if reasons:
                lab.wait_until(counted, 3, f"a drop; seen {node.drops()}, before {before}")
            node.ctl("health")


def tunnel(cluster, family, pod):
    """Broken VXLAN towards node a, as if from node b: (what, packet, drop)."""
    node, peer = cluster.nodes["a"], cluster.nodes["b"]
    inner_packet = frames.udp(f"10.244.{peer.number}.77", pod.address(4), 4000, 9, b"x" * 40)
    inner = frames.ethernet(peer.vtep_mac, node.vtep_mac, 0x0800, inner_packet)
    ends = (peer.address(family), node.address(family))
    nested = frames.vxlan(f"10.244.{peer.number}.77", pod.address(4), 1, inner)
    nested = frames.ethernet(peer.vtep_mac, node.vtep_mac, 0x0800, nested)
    other = frames.ethernet(peer.vtep_mac, "02:00:00:00:99:99", 0x0800, inner_packet)
    return inner, [
        ("a VNI of nobody", frames.vxlan(*ends, 999, inner), ("unknown_vni",)),
        ("no I bit", frames.vxlan(*ends, 1, inner, flags=0), ("tunnel_bad_header",)),
        ("no room for its header", frames.udp(*ends, 50000, 8472, b"\x08\0\0"),
         ("tunnel_bad_header",)),
        ("no frame inside", frames.vxlan(*ends, 1, b""), ("tunnel_bad_inner", "frame_too_short")),
        ("half a frame inside", frames.vxlan(*ends, 1, inner[:20]),
         ("tunnel_bad_inner", "ip_truncated", "frame_too_short")),
        ("VXLAN inside VXLAN to a pod", frames.vxlan(*ends, 1, nested), ()),
        ("another VTEP's MAC inside", frames.vxlan(*ends, 1, other), ("tunnel_not_our_mac",)),
    ]


def flood(report, cluster, family, pod, service):
    """Each valid packet, cut at every byte and with changed bytes, from both sides."""
    node = cluster.nodes["a"]
    outside, uplink = mac_of(cluster.outside, "eth0"), mac_of(node.namespace, "eth1")
    inside, gateway = mac_of(pod.namespace, "eth0"), None
    lab.expect_ping(pod.namespace, node.gateway(family), count=1)
    gateway = pod.namespace.ip_json("neigh", "show", node.gateway(family))[0]["lladdr"]
    target = cluster.nodes["b"].pods[0].address(family)
    for name, sender, interface, ends, source in (
        ("outside", cluster.outside, "eth0", (outside, uplink), cluster.outside_address(family)),
        ("a pod", pod.namespace, "eth0", (inside, gateway), pod.address(family)),
    ):
        whole = good(family, source, target, service)
        if name == "outside":
            whole += [packet for _, packet, _ in tunnel(cluster, family, pod)[1]]
        made = []
        for number, packet in enumerate(whole):
            frame = frames.ethernet(*ends, frames.ether_type(packet), packet)
            made += [each.hex() for each in frames.truncated(frame)]
            made += [each.hex() for each in frames.mutated(frame, 300, number)]
        title = f"IPv{family}, from {name}: cut and changed packets"
        send(report, node, sender, interface, made, *ends, title)
        alive(report, node, pod, title)
        named_drops(report, node, sender, interface, *ends, wrong(family, source, target),
                    f"IPv{family}, from {name}")
    named_drops(report, node, cluster.outside, "eth0", mac_of(cluster.nodes["b"].namespace, "eth1"),
                uplink, tunnel(cluster, family, pod)[1], f"IPv{family}, VXLAN")


def neighbours(report, cluster, pod):
    """Forged or truncated ARP does not take an address away."""
    node = cluster.nodes["a"]
    other = node.pods[1]
    bad = frames.arp(1, "02:00:00:00:99:99", other.address(4), node.gateway(4))
    cut = [frames.ethernet("02:00:00:00:99:99", "ff:ff:ff:ff:ff:ff", 0x0806, bad[:length]).hex()
           for length in range(len(bad) + 1)]
    lab.call(pod.namespace, "send_frames", interface="eth0", frames=cut * 5)
    with report.check("a pod that claims another pod's address by ARP does not get its traffic"):
        lab.expect_ping(cluster.nodes["b"].pods[0].namespace, other.address(4))
        lab.expect_ping(node.namespace, other.address(4))


@lab.with_cluster()
def tests(report, _options, cluster):
    pod = cluster.pod("a", "one")
    cluster.pod("a", "two")
    there = cluster.pod("b", "there")
    services = {4: "10.96.0.10", 6: "fd00:10:96::a"}
    for family, address in services.items():
        cluster.apply(
            objects.service(f"web{family}", [address], [
                objects.port(80, lab.LINES, name="tcp"),
                objects.port(80, lab.UDP, name="udp", protocol="UDP")]),
            objects.endpoint_slice(
                f"web{family}", [objects.endpoint(there.address(family), "node-b")],
                [("tcp", "TCP", lab.LINES), ("udp", "UDP", lab.UDP)], family=family))
        flood(report, cluster, family, pod, address)
    neighbours(report, cluster, pod)
    for family, address in services.items():
        with report.check(f"IPv{family}: after all that, the Service answers and data is whole"):
            expect_equal(lab.call(pod.namespace, "ask", address=address, port=80)[0][0], "there")
            lab.expect_bulk(pod.namespace, there.address(family), lab.MEBI)


if __name__ == "__main__":
    lab.main(tests, workers=1)
