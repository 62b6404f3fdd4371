"""The kernel's shortcut between pods and the node's own kernel: who carries a connection, what
stops it, and that frames are whole and right.
"""

import os
import time

import cluster as lab
from capture import Capture
from carrying import carried, end, flows, hold, nothing_left, restarts, segments
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until

POD, POD_V6 = "10.96.0.41", "fd00:10:96::41"  # of a pod
HOST, HOST_V6 = "10.96.0.42", "fd00:10:96::42"  # of one in the node's own network
NODE_PORT = 30042
MTU, ETHERNET = 1450, 14
FILE = "/run/lab/shortcut-node.pcapng"
QUIET = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "quiet", "namespace": "default"},
         "spec": {"podSelector": {"matchLabels": {"app": "pod"}}, "policyTypes": ["Egress"]}}


def service(node, name, addresses, ends, node_port=None):
    ports = [objects.port(80, lab.HELD, name="held", node_port=node_port),
             objects.port(81, lab.BULK, name="bulk"),
             objects.port(82, lab.UDP, name="udp", protocol="UDP")]
    named = [("held", "TCP", lab.HELD), ("bulk", "TCP", lab.BULK), ("udp", "UDP", lab.UDP)]
    slices = [objects.endpoint_slice(name, [objects.endpoint(each, node.name)], named,
                                     family=6 if ":" in each else 4) for each in ends]
    return [objects.service(name, addresses, ports), *slices]


def ways(node, pod):
    """What is said between the two: (in words, who asks, whom)."""
    for family in (4, 6):
        yield f"pod to node, IPv{family}", pod, node.address(family), lab.HELD
        yield f"node to pod, IPv{family}", node, pod.address(family), lab.HELD
    yield "node to a ClusterIP of the pod", node, POD, 80
    yield "node to a ClusterIP of the pod, IPv6", node, POD_V6, 80
    yield "pod to a ClusterIP of the node", pod, HOST, 80
    yield "pod to a ClusterIP of the node, IPv6", pod, HOST_V6, 80
    yield "pod to a NodePort of the node", pod, node.address(4), NODE_PORT


def host_port(node):
    return next(each for each in node.stats()["ports"] if each["name"] == "podlane0")


def carrying(report, node, pod):
    for what, client, address, port in ways(node, pod):
        with report.check(f"{what}: the kernel carries the connection"):
            holding = hold(client, address, port)
            wait_until(lambda: carried(node, protocol="TCP", state="ESTABLISHED"), 5,
                       "it is carried")
            before, flow = node.stats()["workers"][0]["rxPackets"], carried(node)[0]
            ports = host_port(node)
            time.sleep(2.5)
            later = carried(node, protocol="TCP")
            expect(later, f"it is not carried any more: {flows(node)}")
            expect(later[0]["packets"] > flow["packets"], f"counts: {flow} {later[0]}")
            expect(later[0]["idleSeconds"] <= 2, f"idle: {later[0]}")
            taken = node.stats()["workers"][0]["rxPackets"] - before
            expect(taken < 15, f"a worker has got {taken} packets meanwhile")
            now = host_port(node)
            for count in ("rxPackets", "txPackets"):
                expect(now[count] > ports[count] + 10, f"{count} of podlane0: {ports} {now}")
        end(report, f"{what}: it ends as it should", holding)
        with report.check(f"{what}: FIN comes to podlaned"):
            wait_until(lambda: not carried(node, protocol="TCP"), 5, "nothing is carried")
    with report.check("explain says who carries it"):
        told = node.ctl("explain", "--from", pod.full_name, "--to",
                        f"{node.address(4)}:{lab.HELD}").stdout
        expect("the node's kernel" in told, f"explain: {told}")


def bulk(report, node, pod):
    paths = [("pod to node, IPv4", pod, node.address(4), lab.BULK),
             ("pod to node, IPv6", pod, node.address(6), lab.BULK),
             ("node to pod, IPv4", node, pod.address(4), lab.BULK),
             ("node to pod, IPv6", node, pod.address(6), lab.BULK),
             ("node to a ClusterIP of the pod", node, POD, 81),
             ("pod to a ClusterIP of the node", pod, HOST, 81)]
    for what, client, address, port in paths:
        # Neither shows what the host interface sends by the program: the pod's end does.
        with Capture(pod.namespace, "eth0", direction="in") as at_pod, \
                Capture(node.namespace, "podlane0", direction="in") as at_node:
            with report.check(f"{what}: 100 MiB arrive unchanged each way"):
                before = node.stats()["workers"][0]["rxPackets"]
                rate = lab.expect_bulk(client.namespace, address, 100 * lab.MEBI, port)
                taken = node.stats()["workers"][0]["rxPackets"] - before
                report.note(f"{rate:.0f} MB/s, {taken} packets came to a worker")
        for where, seen in (("pod", at_pod), ("node", at_node)):
            with report.check(f"{what}: at the {where} checksums are right, large frames whole"):
                packets, bad = seen.verdict(unfinished=True)
                expect(packets > 20, f"only {packets} packets captured")
                expect(not bad, f"{len(bad)} of {packets}: {bad[:1]}")
                longest = max(seen.lengths())
                expect(longest > 4 * MTU, f"the longest frame has {longest} bytes")
    with lab.whole_checksums(pod):
        node.namespace.run(["ethtool", "-K", "podlane0", "tx", "off"])
        for what, client, address, port in paths:
            with report.check(f"{what}: the same with checksums that both finish"):
                lab.expect_bulk(client.namespace, address, 10 * lab.MEBI, port)
        node.namespace.run(["ethtool", "-K", "podlane0", "tx", "on"])
    for what, client, address, port in (("pod to node", pod, node.address(4), lab.UDP),
                                        ("pod to node, IPv6", pod, node.address(6), lab.UDP),
                                        ("node to pod", node, pod.address(4), lab.UDP),
                                        ("pod to a ClusterIP of the node", pod, HOST, 82),
                                        ("node to a ClusterIP of the pod", node, POD, 82)):
        with report.check(f"UDP, {what}: answers come back unchanged, and the kernel carries them"):
            seen = lab.call(client.namespace, "ask_udp", address=address, port=port, count=200,
                            size=900, new_socket=False, gap=0.01)
            expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{seen}")
            expect(carried(node, protocol="UDP"), f"not carried: {flows(node)}")


def other_packets(report, node, pod):
    """What is not carried arrives all the same, beside a connection that is."""
    holding = hold(pod, node.address(4))
    with report.check("ping and fragments pass, either way"):
        wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried")
        for client, server in ((pod, node), (node, pod)):
            for family in (4, 6):
                lab.expect_ping(client.namespace, server.address(family))
                # The first may teach the node what the pod's interface takes.
                lab.ping(client.namespace, server.address(family), size=4000, count=1)
                lab.expect_ping(client.namespace, server.address(family), size=4000, count=5)
        seen = lab.call(node.namespace, "ask_udp", address=pod.address(4), port=lab.UDP, count=20,
                        size=4000, new_socket=False, gap=0.01)
        expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{seen}")
    with report.check("a capture sees the packets, and then the kernel carries them again"):
        node.ctl("capture", "-c", "6", "-w", FILE, "tcp", "and", "port", str(lab.HELD), timeout=20)
        expect(os.path.getsize(FILE) > 6 * 66, "packets are missing")
        wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried again")
    end(report, "the connection has lived through it", holding)


def changes(report, node, pod, other):
    node.apply(objects.document(objects.pod("one", pod.addresses, node.name,
                                            labels={"app": "pod"})))
    holding = hold(pod, HOST, 80)
    with report.check("a policy has it looked at again; pods and their node may always speak"):
        wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried")
        before = node.stats()["workers"][0]["rxPackets"]
        node.apply(objects.document(QUIET))
        wait_until(lambda: node.stats()["workers"][0]["rxPackets"] > before, 5, "a worker gets it")
        wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried again")
        node.ctl("delete", "networkpolicy", "default/quiet")
    end(report, "the connection has lived through it", holding)
    asking = lab.spawn_call(pod.namespace, "ask_udp", address=HOST, port=82, count=600, size=900,
                            new_socket=False, gap=0.01)
    with report.check("UDP to a Service that loses the node as its endpoint goes to the next one"):
        wait_until(lambda: [each for each in carried(node, protocol="UDP", to=f"{HOST}:82")
                            if each["idleSeconds"] <= 1], 5, "it is carried")
        time.sleep(1)
        node.apply(objects.document(*service(node, "host", [HOST], [other.address(4)], NODE_PORT)))
        seen = lab.result_of(asking, 30)
        servers = [name for name, _ in seen["answers"]]
        expect(seen["damaged"] == 0 and seen["lost"] <= 1, f"{seen['lost']} {seen['damaged']}")
        expect_equal(sorted(set(servers)), ["node", "two"])
        expect_equal(servers, sorted(servers), "one after the other")


def ends_of_pods(report, node):
    with report.check("a pod that is removed takes its connections along"):
        gone = node.add_pod("gone")
        serving = lab.keep_answering(gone.namespace, "gone")
        holding = hold(node, gone.address(4))
        wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried")
        gone.remove()
        expect_equal(carried(node, protocol="TCP"), [])
        serving.stop()
        holding.stop()


def programs(node):
    return node.namespace.run(["tc", "filter", "show", "dev", "podlane0", "egress"]).stdout


def tests(report, _options):
    cluster = lab.Cluster(names=("a",), outside=False, start=False, keep=True)
    node = cluster.nodes["a"]
    node.config["pods"]["shortcut"] = "auto"
    node.config["flows"]["counters"] = True
    try:
        cluster.start()
        if "podlaned carries everything" in node.daemon.output():
            raise lab.Unavailable("no BPF here")
        pod = cluster.pod("a", "one")
        lab.serve(node.namespace, "node")
        for space, name in ((pod.namespace, "one"), (node.namespace, "node")):
            lab.keep_answering(space, name)
        cluster.apply(*service(node, "front", [POD, POD_V6], pod.addresses),
                      *service(node, "host", [HOST, HOST_V6], node.addresses, NODE_PORT))
        carrying(report, node, pod)
        bulk(report, node, pod)
        other_packets(report, node, pod)
        changes(report, node, pod, cluster.pod("a", "two"))
        ends_of_pods(report, node)

        def without():
            expect_equal(programs(node), "", "programs of the host interface")
            lab.expect_ping(pod.namespace, node.address(4))

        restarts(report, node, pod, lambda: hold(pod, node.address(4), count=3), without)
        holding = hold(node, pod.address(6))
        with report.check("SIGKILL: the kernel carries on what the node has asked a pod"):
            wait_until(lambda: carried(node, protocol="TCP"), 5, "it is carried")
            node.stop(9)
            before = segments(pod)
            time.sleep(1)
            expect(segments(pod) > before + 5, "no segments while podlaned is away")
            node.start()
            wait_until(lambda: carried(node, protocol="TCP"), 10, "it is carried")
        end(report, "the connection has lived through it", holding)
        nothing_left(report, node)
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests)
