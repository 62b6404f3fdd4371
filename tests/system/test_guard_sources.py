"""Spoofed sources are dropped: from a pod, a neighbour on the wire, and through the tunnel."""

import cluster as lab
import frames
from checks import expect, expect_equal
from lab import objects
from test_bad_packets import mac_of

RECEIVER = 4100


def sockets_of(pod):
    """Starts a UDP receiver in the pod; the returned function tells what it has got so far."""
    words = [lab.PYTHON, "-u", "-c", (
        "import socket\n"
        f"s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::', {RECEIVER}))\n"
        "print('ready')\n"
        "while True: print(s.recvfrom(2048)[0].decode(errors='replace'))\n")]
    process = pod.namespace.spawn(words)
    lab.wait_until(lambda: "ready" in process.output(), 5, "the receiver listens")
    return lambda: process.output().split()[1:]


def arp(operation, sender_mac, sender, target_mac, target):
    import ipaddress
    packed = ipaddress.ip_address(sender).packed, ipaddress.ip_address(target).packed
    return (b"\0\1\x08\0\6\4" + operation.to_bytes(2, "big") + frames.mac(sender_mac) + packed[0] +
            frames.mac(target_mac) + packed[1])


@lab.with_cluster()
def tests(report, options, cluster):
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    p1, p2 = cluster.pod("a", "p1", servers=False), cluster.pod("a", "p2", servers=False)
    q1 = cluster.pod("b", "q1", servers=False)
    got = {"p2": sockets_of(p2), "q1": sockets_of(q1)}
    lab.expect_ping(p1.namespace, q1.address(4), count=1)
    lab.expect_ping(p1.namespace, a.gateway(4), count=1)
    lab.expect_ping(p1.namespace, p2.address(4), count=1)
    mine, theirs = mac_of(p1.namespace, "eth0"), mac_of(p2.namespace, "eth0")
    gateway = p1.namespace.ip_json("neigh", "show", a.gateway(4))[0]["lladdr"]
    everyone = "ff:ff:ff:ff:ff:ff"
    wire, uplink = mac_of(cluster.outside, "eth0"), mac_of(a.namespace, "eth1")

    def forge(name, sender, frame, reason, count=5):
        before = a.drops().get(reason, 0)
        lab.call(sender, "send_frames", interface="eth0", frames=[frame.hex()] * count)
        with report.check(f"{name}: {reason}"):
            lab.wait_until(lambda: a.drops().get(reason, 0) >= before + count, 3,
                           f"{reason}; seen {a.drops()}")

    def packet(family, source, target, text, source_port=4000, port=RECEIVER):
        made = frames.udp(source, target, source_port, port, text)
        return made if isinstance(made, bytes) else bytes(made)

    for family in (4, 6):
        others, far, near = p2.address(family), q1.address(family), p1.address(family)
        kind = 0x86DD if family == 6 else 0x0800
        own = frames.ethernet(mine, gateway, kind, packet(family, near, far, b"own"))
        lab.call(p1.namespace, "send_frames", interface="eth0", frames=[own.hex()] * 3)
        with report.check(f"IPv{family}: its own address passes"):
            lab.wait_until(lambda: "own" in got["q1"](), 3, "the datagram arrives")
        for what, target_mac, target in (("routed", gateway, far), ("bridged", theirs, others)):
            forged = packet(family, others if what == "routed" else far, target, b"forged")
            forge(f"IPv{family}, {what}: another's address", p1.namespace,
                  frames.ethernet(mine, target_mac, kind, forged), "pod_source_spoofed")
            forged = packet(family, near, target, b"forged", 4001)
            forge(f"IPv{family}, {what}: another MAC", p1.namespace,
                  frames.ethernet("02:00:00:00:99:99", target_mac, kind, forged),
                  "pod_mac_spoofed")
        forge(f"IPv{family}: a pod's address from the wire", cluster.outside,
              frames.ethernet(wire, uplink, kind, packet(family, near, others, b"forged", 4002)),
              "uplink_source_spoofed")
        server, client = (67, 68) if family == 4 else (547, 546)
        forge(f"IPv{family}: a DHCP offer", p1.namespace,
              frames.ethernet(mine, theirs, kind,
                              packet(family, near, others, b"forged", server, client)),
              "pod_dhcp_server")
        inner = frames.ethernet(a.vtep_mac, b.vtep_mac, kind,
                                packet(family, others, far, b"forged"))
        forge(f"IPv{family}: a tunnel packet made by a pod", p1.namespace,
              frames.ethernet(mine, gateway, 0x0800,
                              frames.vxlan(near if family == 4 else p1.address(4), b.address(4), 1,
                                           inner)),
              "tunnel_port_forbidden")
        inner = frames.ethernet(b.vtep_mac, a.vtep_mac, kind,
                                packet(family, far, others, b"forged"))
        forge(f"IPv{family}: a tunnel packet of a stranger", cluster.outside,
              frames.ethernet(wire, uplink, 0x0800,
                              frames.vxlan("192.168.50.254", a.address(4), 1, inner)),
              "tunnel_stranger")
        inner = frames.ethernet(b.vtep_mac, a.vtep_mac, kind,
                                packet(family, near, others, b"forged"))
        forge(f"IPv{family}: a Node in the name of another's pod", cluster.outside,
              frames.ethernet(wire, uplink, 0x0800,
                              frames.vxlan(b.address(4), a.address(4), 1, inner)),
              "tunnel_source_spoofed")

    forge("ARP in the gateway's name", p1.namespace,
          frames.ethernet(mine, everyone, 0x0806,
                          arp(2, mine, a.gateway(4), "00:00:00:00:00:00", a.gateway(4))),
          "arp_spoofed")
    forge("ARP in another pod's name", p1.namespace,
          frames.ethernet(mine, theirs, 0x0806,
                          arp(2, mine, a.gateway(4), theirs, p2.address(4))),
          "arp_spoofed")
    strict = packet(4, p1.address(4), p2.address(4), b"forged")
    strict = frames.ip(p1.address(4), p2.address(4), 17, strict[20:],
                       options=b"\x89\x07\x04\x0a\xf4\x02\x02\x00")
    forge("a source-routed packet", p1.namespace, frames.ethernet(mine, theirs, 0x0800, strict),
          "source_routed")

    # A Service's endpoint that only one pod of the other node may reach.
    ports = [objects.port(80, RECEIVER, node_port=30081, protocol="UDP", name="u")]
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "q1"}}}]}
    cluster.apply(
        objects.pod("p2", p2.addresses, a.name, labels={"app": "p2"}),
        objects.pod("q1", q1.addresses, b.name, labels={"app": "q1"}),
        objects.service("np", ["10.96.0.77", "fd00:10:96::77"], ports,
                        externalTrafficPolicy="Local"),
        *(objects.endpoint_slice("np", [objects.endpoint(p2.address(family), a.name)],
                                 [("u", "UDP", RECEIVER)], family=family) for family in (4, 6)),
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "only-q1", "namespace": "default"},
         "spec": {"podSelector": {"matchLabels": {"app": "p2"}}, "policyTypes": ["Ingress"],
                  "ingress": [rule]}})
    for family in (4, 6):
        forge(f"IPv{family}: a pod's address from the wire, through a NodePort", cluster.outside,
              frames.ethernet(wire, uplink, 0x86DD if family == 6 else 0x0800,
                              packet(family, q1.address(family), a.address(family), b"forged",
                                     4006, 30081)), "policy_ingress")
    a.ctl("delete", "networkpolicy", "default/only-q1")

    with report.check("nothing forged was delivered"):
        expect_equal({name: [t for t in seen() if t == "forged"] for name, seen in got.items()},
                     {"p2": [], "q1": []}, "delivered")
    with report.check("the gateway's and the pods' addresses are where they were"):
        lab.expect_ping(p2.namespace, a.gateway(4), count=3)
        lab.expect_ping(p2.namespace, p1.address(6), count=3)
        lab.expect_ping(q1.namespace, p1.address(4), count=3)

    shared, taken = "10.244.1.200", p2.address(4)
    p1.namespace.run(["ip", "address", "add", f"{shared}/32", "dev", "eth0"])

    def send_as(address):
        return packet(4, address, p2.address(4), b"shared", 4005)

    forge("an address that the pod gave itself", p1.namespace,
          frames.ethernet(mine, theirs, 0x0800, send_as(shared)), "pod_source_spoofed")
    pod = objects.pod("p1", [p1.address(4)], a.name)
    pod["metadata"]["annotations"] = {"podlane.io/allowed-addresses": f"{shared}, {taken}"}
    cluster.apply(pod)
    lab.call(p1.namespace, "send_frames", interface="eth0",
             frames=[frames.ethernet(mine, theirs, 0x0800, send_as(shared)).hex()] * 3)
    with report.check("by annotation podlane.io/allowed-addresses it passes"):
        lab.wait_until(lambda: "shared" in got["p2"](), 3, f"arrives; drops {a.drops()}")
    forge("another pod's address is not allowed by an annotation", p1.namespace,
          frames.ethernet(mine, theirs, 0x0800, send_as(taken)), "pod_source_spoofed")
    with report.check("podlaned lives"):
        expect(a.daemon.popen.poll() is None, "it ended")
    cluster.stop_checks(report)


if __name__ == "__main__":
    lab.main(tests, workers=1)
