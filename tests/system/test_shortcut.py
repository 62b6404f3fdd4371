"""The kernel's shortcut: who carries a connection, and what stops it from being carried."""

import os
import time

import cluster as lab
from carrying import carried, end, flows, hold, nothing_left, restarts
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until

SERVICE, SERVICE_V6 = "10.96.0.40", "fd00:10:96::40"
FILE = "/run/lab/shortcut.pcapng"
QUIET = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "quiet", "namespace": "default"},
         "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]}}


def service(node, server):
    ports = [objects.port(80, lab.HELD, name="held"), objects.port(81, lab.BULK, name="bulk"),
             objects.port(82, lab.UDP, name="udp", protocol="UDP")]
    ends = [objects.endpoint(server.address(4), node.name)]
    named = [("held", "TCP", lab.HELD), ("bulk", "TCP", lab.BULK), ("udp", "UDP", lab.UDP)]
    return [objects.service("front", [SERVICE], ports),
            objects.endpoint_slice("front", ends, named)]


def carrying(report, node, client, server):
    """Each kind of connection, and its counts."""
    for what, address, port in (("pod to pod, IPv4", server.address(4), lab.HELD),
                                ("pod to pod, IPv6", server.address(6), lab.HELD),
                                ("through a ClusterIP", SERVICE, 80)):
        with report.check(f"{what}: the kernel carries the connection"):
            holding = hold(client, address, port)
            wait_until(lambda: carried(node, state="ESTABLISHED"), 5, "it is carried")
            before = node.stats()["workers"][0]["rxPackets"]
            flow = carried(node)[0]
            told = node.ctl("explain", "--from", client.full_name, "--to", f"[{address}]:{port}"
                            if ":" in address else f"{address}:{port}").stdout
            expect("the node's kernel" in told, f"explain: {told}")
            time.sleep(2.5)
            later = carried(node)
            expect(later, f"it is not carried any more: {flows(node)}")
            expect(later[0]["packets"] > flow["packets"], f"counts: {flow} {later[0]}")
            expect(later[0]["idleSeconds"] <= 2, f"idle: {later[0]}")
            taken = node.stats()["workers"][0]["rxPackets"] - before
            expect_equal(node.stats()["flows"]["kernel"], 1)
            expect(taken < 15, f"a worker has got {taken} packets meanwhile")
        end(report, f"{what}: it ends as it should", holding)
        with report.check(f"{what}: FIN comes to podlaned"):
            wait_until(lambda: flows(node, state="TIME_WAIT"), 5, "TIME_WAIT")
            expect_equal(carried(node), [])
        node.ctl("pod", "del", client.full_name)
        client = renew(node, client)
    return client


def renew(node, pod):
    """The pod's port again, with the same addresses."""
    words = ["pod", "add", pod.full_name, "--netns", pod.namespace.path]
    for address in pod.addresses:
        words += ["--address", address]
    node.ctl(*words)
    return pod


def bulk(report, client, server):
    for family in (4, 6):
        with report.check(f"IPv{family}: 100 MiB arrive unchanged each way, pod to pod"):
            rate = lab.expect_bulk(client.namespace, server.address(family), 100 * lab.MEBI)
            report.note(f"{rate:.0f} MB/s")
    with report.check("100 MiB arrive unchanged each way, through a ClusterIP"):
        lab.expect_bulk(client.namespace, SERVICE, 100 * lab.MEBI, port=81)
    with lab.whole_checksums(client, server):
        with report.check("the same with checksums that the pods finish"):
            lab.expect_bulk(client.namespace, SERVICE, 10 * lab.MEBI, port=81)
            lab.expect_bulk(client.namespace, server.address(6), 10 * lab.MEBI)
    for address, port in ((server.address(4), lab.UDP), (server.address(6), lab.UDP),
                          (SERVICE, 82)):
        with report.check(f"UDP to {address}: answers come back unchanged"):
            seen = lab.call(client.namespace, "ask_udp", address=address, port=port, count=200,
                            size=900, new_socket=False, gap=0.01)
            expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{seen}")


def policies(report, node, client, server):
    holding = hold(client, SERVICE, 80)
    with report.check("a policy that forbids a running connection stops it"):
        wait_until(lambda: carried(node), 5, "it is carried")
        node.apply(objects.document(objects.pod(
            "two", server.addresses, node.name, labels={"app": "server"})))
        wait_until(lambda: carried(node), 5, "it is carried")
        node.apply(objects.document(QUIET))
        before = node.json("get", "flows")
        expect_equal(carried(node), [], f"right after the policy: {before}")
        drops = node.drops()
        wait_until(lambda: node.drops() != drops, 5, "packets are dropped")
        time.sleep(1.5)
        expect_equal(carried(node), [])
    with report.check("without the policy it goes on, and the kernel carries it again"):
        node.ctl("delete", "networkpolicy", "default/quiet")
        wait_until(lambda: carried(node), 10, "it is carried")
    end(report, "the connection has lived through it", holding)


def looking(report, node, client, server):
    holding = hold(client, server.address(4), lab.HELD)
    with report.check("a capture sees the packets of a connection that the kernel carries"):
        wait_until(lambda: carried(node), 5, "it is carried")
        node.ctl("capture", "-c", "6", "-w", FILE, "tcp", "and", "port", str(lab.HELD), timeout=20)
        expect(os.path.getsize(FILE) > 6 * 66, "packets are missing")
        wait_until(lambda: carried(node), 5, "it is carried again")
    end(report, "the connection has lived through it", holding)


def ends_of_pods(report, node, client, server):
    with report.check("a pod that is removed takes its connections along"):
        gone = node.add_pod("gone")
        serving = lab.keep_answering(gone.namespace, "gone")
        holding = hold(client, gone.address(4), lab.HELD)
        wait_until(lambda: carried(node), 5, "it is carried")
        addresses = gone.addresses
        links = len(node.namespace.links())
        gone.remove()
        expect_equal(carried(node), [])
        expect_equal(len(node.namespace.links()), links - 2, "devices of the node")
        serving.stop()
        holding.stop()
    with report.check("the next pod with its address is reached at once"):
        again = node.add_pod("again", addresses)
        lab.serve(again.namespace, "again")
        lab.expect_ping(client.namespace, again.address(4))
        seen = lab.call(client.namespace, "ask", address=again.address(4), port=lab.LINES)
        expect_equal(seen[0][0], "again")
    with report.check("a pod whose namespace has gone is noticed, and leaves no device"):
        node.pods.remove(again)
        again.namespace.close()
        wait_until(lambda: "default/again" not in str(node.json("get", "ports")), 10, "it is gone")
        expect_equal(len(node.namespace.links()), links - 2, "devices of the node")


def tests(report, _options):
    cluster = lab.Cluster(names=("a",), outside=False, start=False, keep=True)
    node = cluster.nodes["a"]
    node.config["pods"]["shortcut"] = "auto"
    node.config["flows"]["counters"] = True
    try:
        cluster.start()
        if "podlaned carries everything" in node.daemon.output():
            raise lab.Unavailable("no BPF here")
        with report.check("health says that the kernel carries"):
            expect_equal(node.json("health")["shortcut"], "on")
        client, server = cluster.pod("a", "one"), cluster.pod("a", "two")
        lab.keep_answering(server.namespace, "two")
        cluster.apply(*service(node, server))
        client = carrying(report, node, client, server)
        bulk(report, client, server)
        policies(report, node, client, server)
        looking(report, node, client, server)
        ends_of_pods(report, node, client, server)
        restarts(report, node, client, lambda: hold(client, SERVICE, 80, count=3),
                 lambda: lab.expect_ping(client.namespace, server.address(4)))
        nothing_left(report, node)
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests)
