"""Injected faults: the operator's first command names the cause, as in docs/troubleshooting.md."""

import json
import os
import re
import signal
import socket
import struct
import time

import cluster as lab
import frames
from checks import expect
from lab import objects
from lab.net import CommandFailed, wait_until
from probes import Running, tcpdump

ROWS = 24  # of a first screen
# Until a neighbour that has answered recently counts as gone.
PATIENCE = 45
CLUSTER_IP = "10.96.0.10"
OUTSIDE = "192.168.50.254"
LOAD_BALANCER = "192.168.50.200"
NOBODY = "192.168.50.77"  # in the uplink's network
SILENT_DNS = "203.0.113.53"  # the outside host drops packets to it
CAPACITY = 4096
DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs",
                        "troubleshooting.md")


def web(endpoints, *, node_port=None, load_balancer=None, **spec):
    ports = [objects.port(80, lab.LINES, name="http", node_port=node_port)]
    service = objects.service("web", [CLUSTER_IP], ports, **spec)
    if load_balancer:
        service["status"] = {"loadBalancer": {"ingress": [{"ip": load_balancer}]}}
    return [service,
            objects.endpoint_slice("web", endpoints, [("http", "TCP", lab.LINES)])]


def policy(name, selector, **rules):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"podSelector": {"matchLabels": selector}, **rules}}


class Scene:
    """Two nodes: pods web and client on a, far on b, and an outside host; all is well."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.node = cluster.nodes["a"]
        self.web = cluster.pod("a", "web")
        self.client = cluster.pod("a", "client")
        self.far = cluster.pod("b", "far")
        self.spare = cluster.pod("b", "spare", servers=False)
        cluster.apply(*(objects.pod(pod.name, pod.addresses, node, labels={"app": pod.name})
                        for pod, node in ((self.web, "node-a"), (self.client, "node-a"),
                                          (self.far, "node-b"))))
        ports = self.node.json("get", "ports")
        self.uplink_mac = next(p for p in ports if p["kind"] == "uplink")["mac"]
        self.heal()

    def endpoint(self, **conditions):
        return objects.endpoint(self.web.address(4), "node-a", **conditions)

    def heal(self):
        self.cluster.apply(*web([self.endpoint()]))
        for item in self.node.json("get", "networkpolicies")["items"]:
            name = f"default/{item['metadata']['name']}"
            for node in self.cluster.nodes.values():
                node.ctl("delete", "networkpolicy", name)

    def ask(self, pod=None, address=CLUSTER_IP, port=80):
        return lab.call((pod or self.client).namespace, "refused", address=address, port=port,
                        timeout=0.5)

    def gateway_mac(self):
        lab.ping(self.client.namespace, self.node.gateway(4), count=1)
        return self.client.namespace.ip_json("neigh", "show", self.node.gateway(4))[0]["lladdr"]

    def send_from_client(self, layers, mac=None):
        """Sends a raw frame from the pod to its gateway."""
        macs = (self.gateway_mac() + (mac or self.client.port["mac"])).replace(":", "")
        lab.call(self.client.namespace, "send_frames", interface="eth0", frames=[macs + layers])

    def send_outside(self, layers, count=1):
        """Sends a raw frame this many times from the outside host to the node's uplink."""
        links = self.cluster.outside.ip_json("link", "show", "eth0")
        macs = self.uplink_mac.replace(":", "") + links[0]["address"].replace(":", "")
        lab.call(self.cluster.outside, "send_frames", interface="eth0",
                 frames=[macs + layers] * count)


def checksum(header):
    total = sum(int(header[i:i + 4], 16) for i in range(0, len(header), 4))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return f"{~total & 0xffff:04x}"


def hex_ip(address):
    return "".join(f"{int(part):02x}" for part in address.split("."))


def ipv4(payload, *, source=OUTSIDE, to="192.168.50.1", protocol=17, good=True):
    """An EtherType and an IPv4 packet, as hex."""
    head = (f"4500{20 + len(payload) // 2:04x}0001000040{protocol:02x}0000"
            f"{hex_ip(source)}{hex_ip(to)}")
    total = checksum(head) if good else "dead"
    return "0800" + head[:20] + total + head[24:] + payload


def vxlan(vni, inner_mac="020000000001", source="192.168.50.2"):
    inner = f"{inner_mac}0200000000020800" + ipv4("00070008000c000000000000",
                                                  to="10.244.1.10", source="10.244.2.9")[4:]
    body = f"08000000{vni:06x}00" + inner
    return ipv4(f"c000{8472:04x}{8 + len(body) // 2:04x}0000" + body, source=source)


# Each: the symptom as in the document, the function that breaks it and tries it, the command, and
# what its first screen must name.
def no_endpoint(scene):
    scene.cluster.apply(*web([]))
    scene.ask()


def port_without_name(scene):
    """As the EndpointSlice controller leaves it if no container has a port of targetPort's name."""
    service, endpoints = web([scene.endpoint()])
    scene.cluster.apply(service, {**endpoints, "ports": []})
    scene.ask()


def not_ready(scene):
    scene.cluster.apply(*web([scene.endpoint(ready=False, serving=False)]))
    scene.ask()


def stale_endpoint(scene):
    scene.cluster.apply(*web([objects.endpoint("10.244.1.99", "node-a")]))
    scene.ask()


def wrong_port(scene):
    scene.ask(port=81)


def unknown_cluster_ip(scene):
    scene.ask(address="10.96.0.99")


def source_range(scene):
    scene.cluster.apply(*web([scene.endpoint()], type="LoadBalancer",
                             loadBalancerSourceRanges=["203.0.113.0/24"],
                             load_balancer=LOAD_BALANCER))


def no_local_endpoint(scene):
    scene.cluster.apply(*web([objects.endpoint(scene.far.address(4), "node-b")], node_port=30080,
                             externalTrafficPolicy="Local"))


def closed_inwards(scene):
    scene.cluster.apply(policy("closed", {"app": "web"}, policyTypes=["Ingress"]))
    scene.ask()


def closed_far(scene):
    scene.cluster.apply(policy("shut", {"app": "far"}, policyTypes=["Ingress"]))
    scene.ask(address=scene.far.address(4), port=lab.LINES)


def half_closed(scene):
    far = objects.endpoint(scene.far.address(4), "node-b")
    scene.cluster.apply(*web([scene.endpoint(), far]),
                        policy("closed", {"app": "web"}, policyTypes=["Ingress"]))
    scene.ask()


def closed_outwards(scene):
    scene.cluster.apply(policy("quiet", {"app": "client"}, policyTypes=["Egress"]))
    scene.ask()


def too_big(scene):
    scene.client.namespace.ip("link", "set", "eth0", "mtu", "1500")
    lab.ping(scene.client.namespace, scene.far.address(4), count=2, size=1472, dont_fragment=True)


def wrong_vni(scene):
    scene.send_outside(vxlan(77))


def stale_vtep(scene):
    scene.send_outside(vxlan(1, "02dead000001"))


def broken_checksum(scene):
    scene.send_outside(ipv4("00070008000c000000000000", good=False))


def vlan(scene):
    scene.send_outside("81000005" + ipv4("00070008000c000000000000"))


def ttl_ends(scene):
    scene.client.namespace.run(["ping", "-n", "-c", "1", "-W", "1", "-t", "1", OUTSIDE],
                               check=False)


def spoofed(scene):
    scene.send_from_client(ipv4("00070008000c000000000000", source=scene.client.address(4),
                                to=scene.far.address(4)), mac=scene.web.port["mac"])


def other_address(scene):
    scene.send_from_client(ipv4("00070008000c000000000000", source="10.244.1.200",
                                to=scene.far.address(4)))


def wrong_target_port(scene):
    service, endpoints = web([scene.endpoint()])
    endpoints["ports"][0]["port"] = 9999
    scene.cluster.apply(service, endpoints)
    scene.ask()


def no_neighbour(scene):
    lab.ping(scene.client.namespace, NOBODY, count=8, interval=0.5, wait=1)


def stranger(scene):
    scene.send_outside(vxlan(1, source=NOBODY))


def silent_dns(scene):
    lab.call(scene.client.namespace, "dns_by_one_socket", address=CLUSTER_IP,
             names=["www.example.org"], count=1, timeout=1, check=False)


def table_full(scene):
    lab.call(scene.client.namespace, "flood_tcp", interface="eth0",
             source_mac=scene.client.port["mac"], target_mac=scene.gateway_mac(),
             sources=[scene.client.address(4)], target=scene.far.address(4), port=9,
             count=2 * CAPACITY)


def unknown_name(scene):
    del scene


def no_source_port(scene):
    """Uses up all identifiers of node b's address towards the outside host, all answered."""
    node = scene.cluster.nodes["b"]
    lab.ping(scene.far.namespace, node.gateway(4), count=1)
    gateway = scene.far.namespace.ip_json("neigh", "show", node.gateway(4))[0]["lladdr"]
    echoes = []
    for number in range(65536):
        echo = struct.pack("!BBHHH", 8, 0, 0, number, 1)
        echo = echo[:2] + struct.pack("!H", frames.checksum(echo)) + echo[4:]
        packet = frames.ip(scene.far.address(4), OUTSIDE, 1, echo)
        echoes.append(frames.ethernet(scene.far.port["mac"], gateway, 0x0800, packet).hex())
    for _ in range(3):  # repeats those that were lost
        lab.call(scene.far.namespace, "send_frames", interface="eth0", frames=echoes)
        time.sleep(1)
    for _ in range(3):  # each with an identifier of its own
        lab.ping(scene.spare.namespace, OUTSIDE, count=1, wait=1)


def ring_full(scene):
    """podlaned stops for a moment, and more comes in than the ring holds."""
    pid = scene.node.daemon.popen.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(8):
            scene.send_outside(ipv4("00070008000c000000000000"), count=4096)
    finally:
        os.kill(pid, signal.SIGCONT)


def feeder_gone(scene):
    """A feeder applies its objects, keeps its connection, and is killed."""
    with socket.socket(socket.AF_UNIX) as feeder:
        feeder.connect(scene.node.socket)
        request = {"jsonrpc": "2.0", "id": 1, "method": "replace",
                   "params": {"documents": "", "owner": "kube", "allowEmpty": True}}
        feeder.sendall(json.dumps(request).encode() + b"\n")
        expect(b'"result"' in feeder.recv(65536), "the feeder's set is not taken")
        time.sleep(12)


def node_gone(scene):
    scene.cluster.nodes["b"].stop()
    lab.ping(scene.client.namespace, scene.far.address(4), count=3, wait=1)


def uplink_down(scene):
    scene.cluster.wire.cut(scene.node.wire_port)


EXPLAIN = ("explain", "--from", "default/client", "--to")
FAULTS = [
    ("a Service refuses connections: it has no endpoint", no_endpoint,
     (*EXPLAIN, "default/web:80"), r"service_no_endpoints|no endpoint"),
    ("a Service refuses connections: its endpoints lack its port", port_without_name,
     (*EXPLAIN, "default/web:80"), r"no TCP port named"),
    ("a Service refuses connections: its endpoint is not ready", not_ready,
     (*EXPLAIN, "default/web:80"), r"not ready"),
    ("a Service does not answer: its endpoint is a pod that is gone", stale_endpoint,
     (*EXPLAIN, "default/web:80"), r"10\.244\.1\.99"),
    ("a port of a Service refuses connections: it has none such", wrong_port,
     (*EXPLAIN, f"{CLUSTER_IP}:81"), r"service_undefined_port|does not define"),
    ("an address of the service CIDR is silent: no Service has it", unknown_cluster_ip,
     (*EXPLAIN, "10.96.0.99:80"), r"service_unallocated|no Service has"),
    ("a load balancer address does not answer some clients", source_range,
     ("explain", "--from", OUTSIDE, "--to", f"{LOAD_BALANCER}:80"),
     r"service_source_range|SourceRanges"),
    ("a NodePort does not answer on one node", no_local_endpoint,
     ("explain", "--from", OUTSIDE, "--to", "192.168.50.1:30080"),
     r"service_no_local_endpoints|Local"),
    ("a pod is not reached: a NetworkPolicy isolates it", closed_inwards,
     (*EXPLAIN, "default/web:80"), r"policy_ingress|default/closed"),
    ("a pod reaches nobody: a NetworkPolicy isolates it", closed_outwards,
     (*EXPLAIN, "default/web:80"), r"policy_egress|default/quiet"),
    ("a pod of another node is not reached: a NetworkPolicy isolates it there", closed_far,
     ("explain", "policy", "--from", "default/client", "--to", "default/far:80"),
     r"node-b decides as well"),
    ("a Service answers sometimes: one of its endpoints is closed", half_closed,
     (*EXPLAIN, "default/web:80"), r"1 of 2 cannot be reached[^$]*policy_ingress"),
    ("large packets are lost, small ones pass", too_big, ("drops",), r"too_big"),
    ("nothing comes from one node: its VNI is another", wrong_vni, ("drops",), r"unknown_vni"),
    ("nothing comes from one node: it has a stale VTEP MAC", stale_vtep, ("drops",),
     r"tunnel_not_our_mac"),
    ("packets are damaged on the way", broken_checksum, ("drops",), r"ip_bad_checksum"),
    ("frames come with a VLAN tag", vlan, ("drops",), r"vlan_unexpected"),
    ("packets run in a circle", ttl_ends, ("drops",), r"ttl_expired"),
    ("a pod's frames do not arrive: it uses another's MAC", spoofed, ("drops",),
     r"pod_mac_spoofed"),
    ("a pod's packets do not arrive: it uses an address that is not its own", other_address,
     ("trace", "--reason", "pod_source_spoofed"),
     r"in by default/client\n.*10\.244\.1\.200[^$]*drop: pod_source_spoofed"),
    ("a Service refuses connections: nobody listens at its target port", wrong_target_port,
     ("trace", "--pod", "default/web", "tcp[tcpflags] & tcp-rst != 0"),
     r"in by default/web\n *TCP 10\.244\.1\.\d+:9999 > .* RST"),
    ("an address of the uplink's network is silent: nobody has it", no_neighbour,
     ("trace", "--reason", "neighbour_unreachable"),
     r"10\.244\.1\.\d+ > 192\.168\.50\.77[^$]*drop: neighbour_unreachable"),
    ("nothing comes from one node: it has no Node object", stranger,
     ("capture", "--reason", "tunnel_stranger"),
     r"192\.168\.50\.77\.\d+ > 192\.168\.50\.1\.8472"),
    ("names outside of the cluster are not found: the upstream server is silent", silent_dns,
     ("capture", "--port", "uplink0", "udp port 53"),
     r"> 203\.0\.113\.53\.53: .*www\.example\.org"),
    ("a name is not found", unknown_name, ("resolve", "wbe.default.svc.cluster.local"),
     r"NXDOMAIN"),
    ("new connections are refused: one pod fills the flow table", table_full,
     ("top", "--count", "1"), r"10\.244\.1\.\d+ +default/client +[\d.]+k"),
    ("new connections to one destination outside fail: no source port is free", no_source_port,
     ("health",), r"no source port is free from 192\.168\.50\.2 to 192\.168\.50\.254"),
    ("packets are lost and no reason of podlaned's grows: the NIC's ring is full", ring_full,
     ("health",), r"uplink0: its device loses frames: .*device_missed"),
    ("changes of the cluster do not arrive: the feeder is gone", feeder_gone, ("health",),
     r"owner kube: its feeder is gone for \d+ s"),
    ("a node's pods are not reached: the node is gone", node_gone, ("health",),
     r"next hop 192\.168\.50\.2 \(Node node-b\)\s+does not answer"),
    ("everything outside is silent: the uplink is down", uplink_down, ("health",),
     r"not ready\n[^$]*uplink0.*down"),
]


AT_NODE_B = (no_source_port,)  # its flow table holds them

WATCHING = ("capture", "trace")  # they begin before the packets come


def shown(command):
    """The command as an operator types it."""
    words = [f"'{word}'" if re.search("[&!]", word) else word for word in command]
    return " ".join(["podlanectl", *words]) + (" | tcpdump -nr -" if "capture" in command else "")


def documented(report):
    with report.check("docs/troubleshooting.md has each symptom and what to ask, and no other"):
        with open(DOCUMENT, encoding="utf-8") as file:
            rows = re.findall(r"^\| ([^|]+?) \| `(podlanectl [^`]*)`", file.read(), re.MULTILINE)
        rows = [(symptom, ask.replace("\\|", "|")) for symptom, ask in rows]
        wanted = [(symptom, shown(command)) for symptom, _, command, _ in FAULTS]
        expect(rows == wanted, f"{set(rows) ^ set(wanted) or 'another order'}")


def first_screen(scene, break_it, command):
    """The first screen of the command's output."""
    if command[0] in WATCHING:
        running = Running(scene.node, *command)
        break_it(scene)
        time.sleep(0.2)
        out = running.stop()[0]
        lines = tcpdump(out)[0] if "capture" in command else out.decode().splitlines()
    else:
        node = scene.cluster.nodes["b"] if break_it in AT_NODE_B else scene.node
        done = node.ctl(*command, check=False)
        lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(lines[:ROWS])


@lab.with_cluster(start=False)
def tests(report, options, cluster):
    documented(report)
    cluster.nodes["a"].config["flows"]["capacity"] = CAPACITY
    cluster.nodes["a"].config["cluster"]["upstreamDns"] = [SILENT_DNS]
    cluster.nodes["b"].config["flows"] = {"capacity": 131072, "timeouts": {"icmp": 600}}
    cluster.start()
    scene = Scene(cluster)
    for symptom, break_it, command, named in FAULTS:
        with report.check(f"{symptom}: {command[0]} names the cause"):
            if command[0] not in WATCHING:
                break_it(scene)
            screens = []

            def is_named():
                screens.append(first_screen(scene, break_it, command))
                return re.search(named, screens[-1])

            try:
                wait_until(is_named, PATIENCE, named)
            except CommandFailed as error:
                raise AssertionError(f"{error}: {screens[-1]}") from error
        if break_it not in (node_gone, uplink_down):
            scene.heal()


if __name__ == "__main__":
    lab.main(tests)
