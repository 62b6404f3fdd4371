"""A node without Podlane: the kernel's VXLAN device, set up as flannel's VXLAN backend does it.

Source: flannel's backend/vxlan: a device flannel.VNI without learning; for each other node a
static neighbour (its pod network's first address at its VTEP MAC), a static FDB entry (that MAC
behind the node's address) and an on-link route. IPv6 has a device of its own, flannel-v6.VNI.
"""

from lab import objects
from lab.net import Namespace, add_addresses, offloads_off

MTU = 1450


def on_link(addresses):
    """An IPv4 and an IPv6 address with the prefix lengths used here."""
    return [f"{addresses[0]}/24", f"{addresses[1]}/64"]


class KernelPod:
    """A pod on a veth of the bridge cni0, as flannel's CNI plugin makes it."""

    def __init__(self, node, name, number):
        self.name = name
        self.addresses = [f"10.244.{node.number}.{number}",
                          f"fd00:10:244:{node.number:x}::{number:x}"]
        self.namespace = Namespace(f"pod-{name}")
        port = f"veth{number}"
        mtu = str(MTU)
        self.namespace.ip("link", "add", "eth0", "mtu", mtu, "type", "veth", "peer", "name", port,
                          "mtu", mtu, "netns", node.namespace.name)
        node.namespace.ip("link", "set", port, "master", "cni0", "up")
        offloads_off(self.namespace, "eth0")
        offloads_off(node.namespace, port)
        self.namespace.ip("link", "set", "eth0", "up")
        add_addresses(self.namespace, "eth0", on_link(self.addresses))
        self.namespace.ip("route", "add", "default", "via", node.gateways[0])
        self.namespace.ip("-6", "route", "add", "default", "via", node.gateways[1])

    def address(self, family):
        return self.addresses[family == 6]


class FlannelNode:
    """The kernel node; its numbers give its addresses, as in lab.node.Node."""

    def __init__(self, name, number, wire):
        self.name = name
        self.number = number
        self.addresses = [f"192.168.50.{number}", f"fd50::{number:x}"]
        self.pod_cidrs = [f"10.244.{number}.0/24", f"fd00:10:244:{number:x}::/64"]
        self.gateways = [f"10.244.{number}.1", f"fd00:10:244:{number:x}::1"]
        self.vtep_mac = f"02:00:00:f1:a1:{number:02x}"
        self.pods = []
        self.namespace = Namespace(name)
        self.namespace.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.namespace.sysctl("net.ipv4.ip_forward", 1)
        self.namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
        wire.plug(self.namespace, "eth1")
        add_addresses(self.namespace, "eth1", on_link(self.addresses))
        self._vxlan("flannel.1", self.addresses[0], f"10.244.{number}.0/32")
        self._vxlan("flannel-v6.1", self.addresses[1], f"fd00:10:244:{number:x}::/128")
        self.namespace.ip("link", "add", "cni0", "mtu", str(MTU), "type", "bridge",
                          "forward_delay", "0", "mcast_snooping", "0")
        self.namespace.ip("link", "set", "cni0", "up")
        add_addresses(self.namespace, "cni0", on_link(self.gateways))

    def _vxlan(self, device, local, address):
        self.namespace.ip("link", "add", device, "address", self.vtep_mac, "mtu", str(MTU),
                          "type", "vxlan", "id", "1", "local", local, "dev", "eth1",
                          "dstport", "8472", "nolearning")
        # Joined frames have no checksum that a capture could check.
        self.namespace.run(["ethtool", "-K", device, "gro", "off"])
        self.namespace.ip("link", "set", device, "up")
        add_addresses(self.namespace, device, [address])

    def add_peer(self, peer):
        """Does what flannel does when a node joins. The peer has number, addresses, vtep_mac."""
        for device, pod_net, length, address in (
            ("flannel.1", f"10.244.{peer.number}.0", 24, peer.addresses[0]),
            ("flannel-v6.1", f"fd00:10:244:{peer.number:x}::", 64, peer.addresses[1]),
        ):
            family = "-6" if ":" in pod_net else "-4"
            self.namespace.ip(family, "neigh", "replace", pod_net, "lladdr", peer.vtep_mac,
                              "dev", device, "nud", "permanent")
            self.namespace.run(["bridge", "fdb", "append", peer.vtep_mac, "dev", device,
                                "dst", address])
            self.namespace.ip(family, "route", "replace", f"{pod_net}/{length}", "via", pod_net,
                              "dev", device, "onlink")

    def add_pod(self, name):
        pod = KernelPod(self, name, 10 + len(self.pods))
        self.pods.append(pod)
        return pod

    def object(self):
        return objects.node(self.name, self.pod_cidrs, self.addresses, self.vtep_mac)

    def close(self):
        for pod in self.pods:
            pod.namespace.close()
        self.namespace.close()
