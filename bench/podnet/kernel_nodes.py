"""The other side of the comparison: nodes of the kernel's own bridge, veths, VXLAN and nftables."""

from lab.net import Namespace

MTU_IN_TUNNEL = 1450


class KernelNode:
    """Number N has pods 10.98.N.0/24 on a bridge that is their gateway."""

    def __init__(self, number, pod_mtu=1500):
        self.number = number
        self.pods = {}
        self.space = Namespace(f"kernel{number}")
        self.space.sysctl("net.ipv4.ip_forward", 1)
        self.space.ip("link", "add", "cbr0", "type", "bridge", "forward_delay", "0")
        self.space.ip("addr", "add", f"10.98.{number}.1/24", "dev", "cbr0")
        self.space.ip("link", "set", "cbr0", "up", "mtu", str(pod_mtu))
        self._mtu = pod_mtu

    def _veth(self, name):
        pod = Namespace(f"k{self.number}-{name}")
        end = f"veth-{name}"
        pod.ip("link", "add", "eth0", "mtu", str(self._mtu), "type", "veth", "peer", "name", end,
               "mtu", str(self._mtu), "netns", self.space.name)
        pod.ip("link", "set", "eth0", "up")
        self.pods[name] = pod
        return pod, end

    def add_pod(self, name, last):
        """A pod on the bridge; returns its address."""
        pod, end = self._veth(name)
        self.space.ip("link", "set", end, "master", "cbr0", "up")
        address = f"10.98.{self.number}.{last}"
        pod.ip("addr", "add", f"{address}/24", "dev", "eth0")
        pod.ip("route", "add", "default", "via", f"10.98.{self.number}.1")
        return address

    def add_routed_pod(self, name, last):
        """A pod behind a routed veth, so that a Service's replies pass the rules as well."""
        pod, end = self._veth(name)
        address = f"10.97.{self.number}.{last}"
        pod.ip("addr", "add", f"{address}/32", "dev", "eth0")
        pod.ip("route", "add", "169.254.1.1", "dev", "eth0", "scope", "link")
        pod.ip("route", "add", "default", "via", "169.254.1.1")
        self.space.ip("link", "set", end, "up")
        self.space.ip("addr", "add", "169.254.1.1/32", "dev", end)
        self.space.ip("route", "add", f"{address}/32", "dev", end)
        return address

    def join(self, wire, other, vtep):
        """VXLAN over a veth on `wire` to node number `other` with the VTEP `vtep`."""
        wire_address = f"192.168.51.{self.number}"
        self.space.ip("link", "add", "eth1", "type", "veth", "peer", "name", f"kw{self.number}",
                      "netns", wire.name)
        wire.ip("link", "set", f"kw{self.number}", "master", "br0", "up")
        self.space.ip("addr", "add", f"{wire_address}/24", "dev", "eth1")
        self.space.ip("link", "set", "eth1", "up")
        self.space.ip("link", "add", "flannel.1", "type", "vxlan", "id", "1", "dev", "eth1",
                      "local", wire_address, "dstport", "8472", "nolearning")
        self.space.ip("link", "set", "flannel.1", "address", f"02:00:00:98:00:0{self.number}",
                      "mtu", str(MTU_IN_TUNNEL), "up")
        mac = f"02:00:00:98:00:0{other}"
        self.space.ip("route", "add", f"10.98.{other}.0/24", "via", f"10.98.{other}.0",
                      "dev", "flannel.1", "onlink")
        self.space.ip("neigh", "add", f"10.98.{other}.0", "lladdr", mac, "dev", "flannel.1")
        self.space.run(["bridge", "fdb", "append", mac, "dev", "flannel.1", "dst", vtep])

    def serve(self, services):
        """Rules as kube-proxy's nftables mode writes them: (address, port, endpoint, target)."""
        lines = ["table ip kube-proxy {",
                 "map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }",
                 "chain mark-for-masquerade { mark set mark or 0x4000; }",
                 "chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }",
                 "chain prerouting { type nat hook prerouting priority dstnat; jump services; }",
                 "chain output { type nat hook output priority -100; jump services; }",
                 "chain postrouting { type nat hook postrouting priority srcnat;",
                 "  mark & 0x4000 == 0 return; mark set mark xor 0x4000; masquerade; }",
                 "chain forward { type filter hook forward priority 0; ct state invalid drop; }"]
        elements = []
        for number, (address, port, endpoint, target) in enumerate(services):
            lines.append(f"chain endpoint-{number} {{ ip saddr {endpoint} jump mark-for-masquerade;"
                         f" meta l4proto tcp dnat to {endpoint}:{target}; }}")
            lines.append(f"chain service-{number} {{ ip daddr {address} tcp dport {port}"
                         f" ip saddr != 10.96.0.0/14 jump mark-for-masquerade;"
                         f" numgen random mod 1 vmap {{ 0 : goto endpoint-{number} }}; }}")
            elements.append(f"{address} . tcp . {port} : goto service-{number}")
        lines.append("}")
        lines.append("add element ip kube-proxy service-ips { " + ", ".join(elements) + " }")
        self.space.run(["nft", "-f", "-"], stdin="\n".join(lines) + "\n")

    def close(self):
        for pod in self.pods.values():
            pod.close()
        self.space.close()
