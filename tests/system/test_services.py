"""Services from pods, from outside and from the node itself; endpoints here, there and nowhere."""

import collections

import cluster as lab
import traffic
from capture import Capture
from checks import expect, expect_equal
from lab import objects
from lab.net import PYTHON

FAMILIES = (4, 6)
NODE_PORT, NODE_PORT_UDP = 30080, 30081
BEHIND = "203.0.113.1"  # an address behind the gateway
PORTS = [objects.port(80, lab.LINES, name="lines", node_port=NODE_PORT),
         objects.port(80, lab.UDP, name="udp", protocol="UDP", node_port=NODE_PORT_UDP),
         objects.port(90, lab.BULK, name="bulk")]
TARGETS = [("lines", "TCP", lab.LINES), ("udp", "UDP", lab.UDP), ("bulk", "TCP", lab.BULK)]


def cluster_ip(family, number):
    return f"fd00:10:96::{number:x}" if family == 6 else f"10.96.0.{number}"


def make(cluster, name, family, number, pods, ports=None, targets=None):
    """A Service of one family with these pods as endpoints; returns its ClusterIP."""
    address = cluster_ip(family, number)
    endpoints = [objects.endpoint(pod.address(family), pod.node.name) for pod in pods]
    cluster.apply(
        objects.service(f"{name}{family}", [address], ports or [
            {key: value for key, value in port.items() if key != "nodePort"} for port in PORTS]),
        objects.endpoint_slice(f"{name}{family}", endpoints, targets or TARGETS, family=family),
    )
    return address


def ask_both(client, address, port=80, count=20):
    """The servers that answered, by TCP and by UDP, and the addresses that they saw."""
    tcp = lab.call(client, "ask", address=address, port=port, count=count)
    udp = lab.call(client, "ask_udp", address=address, port=port, count=count)
    expect(udp["lost"] == 0 and udp["damaged"] == 0, f"UDP: {udp}")
    return tcp, udp["answers"]


def from_pods(report, cluster, family, here, there):
    """ClusterIP with endpoints here, there and both, asked from a pod of each node."""
    for where, number, pods in (("here", 20, [here]), ("there", 21, [there]),
                                ("here and there", 22, [here, there])):
        address = make(cluster, where.replace(" ", "-"), family, number, pods)
        for node in cluster.nodes.values():
            client = node.pods[0]
            name = f"IPv{family}: pod on {node.name} to a ClusterIP with endpoints {where}"
            with report.check(name):
                for answers in ask_both(client.namespace, address, count=40):
                    servers = collections.Counter(server for server, _ in answers)
                    expect_equal(set(servers), {pod.name for pod in pods}, "servers")
                    seen = {peer for _, peer in answers}
                    expect_equal(seen, {client.address(family)}, "source address at the server")
    size = (100 if family == 4 else 20) * lab.MEBI
    client = cluster.nodes["a"].pods[0]
    for where, number, pod in (("here", 20, here), ("there", 21, there)):
        with Capture(pod.namespace, "eth0") as server, Capture(client.namespace, "eth0") as back:
            with report.check(f"IPv{family}: {size // lab.MEBI} MiB each way to endpoint {where}"):
                rate = lab.expect_bulk(client.namespace, cluster_ip(family, number), size, port=90)
                report.note(f"{rate:.0f} MB/s")
        for side, capture in (("server", server), ("client", back)):
            lab.expect_clean(report, capture,
                             f"IPv{family}: endpoint {where}: no bad checksum at the {side}",
                             least=100)


def from_outside(report, cluster, family, here, there):
    """NodePort on a node with and one without the endpoint."""
    make(cluster, "outside", family, 30, [there], PORTS, TARGETS)
    for node in cluster.nodes.values():
        local = "with" if node is there.node else "without"
        address = node.address(family)
        with report.check(f"IPv{family}: outside to a NodePort on the node {local} the endpoint"):
            tcp = lab.call(cluster.outside, "ask", address=address, port=NODE_PORT, count=20)
            udp = lab.call(cluster.outside, "ask_udp", address=address, port=NODE_PORT_UDP,
                           count=20)
            expect_equal(udp["lost"] + udp["damaged"], 0, "UDP lost or damaged")
            for answers in (tcp, udp["answers"]):
                expect_equal({server for server, _ in answers}, {there.name}, "servers")
                peers = {peer for _, peer in answers}
                expect(cluster.outside_address(family) not in peers,
                       f"policy Cluster masquerades, the server saw {peers}")
    with Capture(cluster.outside, "eth0", f"port {NODE_PORT}") as client:
        with report.check(f"IPv{family}: 2,000 connections through a NodePort, one after another"):
            address = cluster.nodes["a"].address(family)
            answers = lab.call(cluster.outside, "ask", address=address, port=NODE_PORT, count=2000)
            expect_equal(len(answers), 2000)
    lab.expect_clean(report, client, f"IPv{family}: no bad checksum at the outside client",
                     least=100)
    with report.check(f"IPv{family}: a pod reaches the NodePort at either node's address"):
        for node in cluster.nodes.values():
            answers = lab.call(here.namespace, "ask", address=node.address(family),
                               port=NODE_PORT, count=5)
            expect_equal({server for server, _ in answers}, {there.name})


def local_policy(report, cluster, family, there):
    """externalTrafficPolicy Local: the client's address is kept, and no other node helps."""
    ports = [objects.port(80, lab.LINES, name="lines", node_port=30082)]
    address = cluster_ip(family, 31)
    cluster.apply(
        objects.service(f"local{family}", [address], ports, externalTrafficPolicy="Local"),
        objects.endpoint_slice(
            f"local{family}", [objects.endpoint(there.address(family), there.node.name)],
            TARGETS[:1], family=family),
    )
    with report.check(f"IPv{family}: policy Local keeps the outside client's address"):
        answers = lab.call(cluster.outside, "ask", address=there.node.address(family), port=30082)
        expect_equal(answers, [[there.name, cluster.outside_address(family)]])
    with report.check(f"IPv{family}: policy Local: a node without an endpoint drops"):
        seen = lab.call(cluster.outside, "refused", port=30082, timeout=1,
                        address=cluster.nodes["a"].address(family))
        expect_equal(seen["how"], "timeout")


def hairpin(report, cluster, family, here):
    address = make(cluster, "hairpin", family, 40, [here])
    with report.check(f"IPv{family}: a pod reaches itself through its own Service"):
        for answers in ask_both(here.namespace, address, count=10):
            expect_equal({server for server, _ in answers}, {here.name}, "servers")
            expect(here.address(family) not in {peer for _, peer in answers},
                   "hairpin traffic is masqueraded, or the pod would answer itself directly")


def from_the_node(report, cluster, family, here, there):
    """The node's own kernel: through the host interface."""
    node = cluster.nodes["a"]
    kernel = node.namespace
    for pod, where in ((here, "here"), (there, "on the other node")):
        with report.check(f"IPv{family}: the node's kernel pings a pod {where}"):
            lab.expect_ping(kernel, pod.address(family))
        with report.check(f"IPv{family}: the node's kernel speaks TCP with a pod {where}"):
            expect_equal(lab.call(kernel, "ask", address=pod.address(family),
                                  port=lab.LINES)[0][0], pod.name)
    with report.check(f"IPv{family}: the node's kernel reaches a ClusterIP, endpoints on both"):
        answers = lab.call(kernel, "ask", address=cluster_ip(family, 22), port=80, count=40)
        expect_equal({server for server, _ in answers}, {here.name, there.name})
    with report.check(f"IPv{family}: a pod pings its node, and the other node"):
        lab.expect_ping(here.namespace, node.address(family))
        lab.expect_ping(here.namespace, cluster.nodes["b"].address(family))
    with report.check(f"IPv{family}: the two nodes' kernels ping each other"):
        lab.expect_ping(kernel, cluster.nodes["b"].address(family))
    with report.check(f"IPv{family}: outside pings the node"):
        lab.expect_ping(cluster.outside, node.address(family))
        lab.expect_ping(cluster.outside, cluster.nodes["b"].address(family))
    with report.check(f"IPv{family}: outside speaks TCP with a server of the node's kernel"):
        expect_equal(lab.call(cluster.outside, "ask", address=node.address(family),
                              port=lab.LINES, count=3)[0],
                     ["kernel-a", cluster.outside_address(family)])
    with report.check(f"IPv{family}: TCP of 10 MiB each way between outside and the kernel"):
        lab.expect_bulk(cluster.outside, node.address(family), 10 * lab.MEBI)


def to_outside(report, cluster, family, here):
    """Masquerade: the uplink's address towards outside, the pod's own inside the cluster."""
    node = cluster.nodes["a"]
    targets = [cluster.outside_address(family)] + ([BEHIND] if family == 4 else [])
    for target in targets:
        with report.check(f"IPv{family}: pod to {target}: masqueraded to the uplink's address"):
            lab.expect_ping(here.namespace, target)
            answers = lab.call(here.namespace, "ask", address=target, port=lab.LINES, count=10)
            if target != BEHIND:  # the UDP server's kernel would answer from its nearer address
                udp = lab.call(here.namespace, "ask_udp", address=target, port=lab.UDP, count=10)
                expect_equal(len(udp["answers"]), 10, "UDP answers")
                answers += udp["answers"]
            expect(all(lab.same_address(peer, node.address(family)) for _, peer in answers),
                   f"the server saw {answers}, not {node.address(family)}")
    with Capture(cluster.outside, "eth0") as outside, Capture(here.namespace, "eth0") as inside:
        with report.check(f"IPv{family}: 20 MiB each way through masquerade"):
            lab.expect_bulk(here.namespace, targets[0], 20 * lab.MEBI)
    lab.expect_clean(report, outside, f"IPv{family}: masquerade: no bad checksum outside", least=99)
    lab.expect_clean(report, inside, f"IPv{family}: masquerade: no bad checksum inside", least=99)
    with report.check(f"IPv{family}: two pods with the same source port keep apart"):
        for pod in node.pods[:2]:
            answers = lab.call(pod.namespace, "ask", address=targets[0], port=lab.LINES,
                               source_port=4000 + family)
            expect_equal(answers[0][0], "outside")


def refusals(report, cluster, family, here, there):
    """A port or protocol that a Service does not offer is refused at once, without a timeout."""
    empty = make(cluster, "empty", family, 50, [])
    defined = make(cluster, "defined", family, 51, [there])
    clients = [("a pod", here.namespace), ("the node's kernel", cluster.nodes["a"].namespace)]
    for who, client in clients:
        for protocol in ("tcp", "udp"):
            with report.check(f"IPv{family}: {who}: {protocol} to a Service with no endpoint"):
                seen = lab.call(client, "refused", address=empty, port=80, protocol=protocol)
                expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")
            with report.check(f"IPv{family}: {who}: {protocol} to an undefined ClusterIP port"):
                seen = lab.call(client, "refused", address=defined, port=81, protocol=protocol)
                expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")
    closed = make(cluster, "closed", family, 53, [there], targets=[
        ("lines", "TCP", 9), ("udp", "UDP", 9), ("bulk", "TCP", 9)])
    for protocol, answer in (("tcp", "RST"), ("udp", "ICMP error")):
        with report.check(f"IPv{family}: the {answer} of a closed {protocol} endpoint comes back"):
            seen = lab.call(here.namespace, "refused", address=closed, port=80, protocol=protocol)
            expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")
    with report.check(f"IPv{family}: an ICMP error from outside reaches the masqueraded pod"):
        seen = lab.call(here.namespace, "refused", address=cluster.outside_address(family),
                        port=9, protocol="udp")
        expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")
    with report.check(f"IPv{family}: an address of the service CIDR that no Service has: silence"):
        seen = lab.call(here.namespace, "refused", address=cluster_ip(family, 99), port=80,
                        timeout=1)
        expect_equal(seen["how"], "timeout")
        expect(cluster.nodes["a"].drops().get("service_unallocated"), "no such drop counted")
    make(cluster, "empty-node-port", family, 52, [],
         [objects.port(80, lab.LINES, name="lines", node_port=30090)])
    with report.check(f"IPv{family}: outside to a NodePort with no endpoint: refused"):
        seen = lab.call(cluster.outside, "refused", port=30090,
                        address=cluster.nodes["a"].address(family))
        expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")
    with report.check(f"IPv{family}: outside to a node port of no Service: the kernel refuses"):
        seen = lab.call(cluster.outside, "refused", port=30099,
                        address=cluster.nodes["a"].address(family))
        expect_equal(seen["how"], "refused", f"after {seen['seconds']} s")


def sctp(report, cluster, family, here, there):
    name = f"IPv{family}: SCTP to a ClusterIP with an endpoint on the other node"
    if not traffic.sctp_available():
        report.skip(name, "this kernel has no SCTP")
        return
    there.namespace.spawn([PYTHON, traffic.__file__, "serve-sctp", there.name, "8083"])
    address = make(cluster, "sctp", family, 60, [there],
                   [objects.port(80, 8083, protocol="SCTP")], [("main", "SCTP", 8083)])
    with report.check(name):
        lab.wait_until(lambda: lab.call(here.namespace, "ask_sctp", check=False, address=address,
                                        port=80), 5, "SCTP answers")
        expect_equal(lab.call(here.namespace, "ask_sctp", address=address, port=80),
                     [there.name, here.address(family)])


def selector(report, cluster, here, there):
    """Endpoints from the Pod objects that match, with no EndpointSlice at all."""
    address = cluster_ip(4, 70)
    service = objects.service("chosen", [address], [objects.port(80, lab.LINES)],
                              selector={"app": "chosen"})
    cluster.apply(service, *(objects.pod(pod.name, pod.addresses, pod.node.name,
                                         labels={"app": "chosen"}) for pod in (here, there)))
    with report.check("a Service with a selector finds its Pods' addresses"):
        answers = lab.call(here.namespace, "ask", address=address, port=80, count=40)
        expect_equal({server for server, _ in answers}, {here.name, there.name})
    cluster.apply(objects.pod(there.name, there.addresses, there.node.name, ready=False,
                              labels={"app": "chosen"}))
    with report.check("a Pod that is not Ready gets no new connections"):
        answers = lab.call(here.namespace, "ask", address=address, port=80, count=40)
        expect_equal({server for server, _ in answers}, {here.name})


def explained(report, cluster, here, there):
    """`explain` agrees with the packets of these tests."""
    node = cluster.nodes["a"]
    with report.check("explain names the Service and the endpoint of a ClusterIP"):
        text = node.ctl("explain", "--from", here.full_name, "--to", f"{cluster_ip(4, 21)}:80",
                        "--proto", "tcp").stdout
        expect("there4" in text and there.address(4) in text, text)
    with report.check("explain changes no counter of flows"):
        before = node.stats()["flows"]["created"]
        node.ctl("explain", "--from", here.full_name, "--to", "203.0.113.1:80")
        expect_equal(node.stats()["flows"]["created"], before)


@lab.with_cluster()
def tests(report, _options, cluster):
    for node in cluster.nodes:
        cluster.pod(node, f"client-{node}", servers=False)
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    lab.serve(cluster.outside, "outside")
    lab.serve(cluster.nodes["a"].namespace, "kernel-a")
    for family in FAMILIES:
        from_pods(report, cluster, family, here, there)
        from_outside(report, cluster, family, here, there)
        local_policy(report, cluster, family, there)
        hairpin(report, cluster, family, here)
        from_the_node(report, cluster, family, here, there)
        to_outside(report, cluster, family, here)
        refusals(report, cluster, family, here, there)
        sctp(report, cluster, family, here, there)
    selector(report, cluster, here, there)
    explained(report, cluster, here, there)


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
