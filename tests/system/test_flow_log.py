"""The flow log of pods' connections, as JSON lines and as IPFIX for nfcapd; who opens most."""

import json
import os
import re
import shutil

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import run, wait_until

CLUSTER_IP = "10.96.0.10"
FILE = "/run/lab/flows.json"
FOLDER = "/run/lab/nfcapd"
PORT = 4739


def lines():
    try:
        with open(FILE, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def one_that(what, **fields):
    """The first logged line with these fields, as soon as there is one."""
    def found():
        return next((each for each in lines()
                     if all(each.get(key) == value for key, value in fields.items())), None)
    return wait_until(found, 10, f"a line of {what}")


def objects_of(node, web, client):
    return [
        objects.service("web", [CLUSTER_IP], [objects.port(80, lab.LINES, name="http"),
                                              objects.port(81, lab.BULK, name="bulk")]),
        objects.endpoint_slice("web", [objects.endpoint(web.address(4), node.name)],
                               [("http", "TCP", lab.LINES), ("bulk", "TCP", lab.BULK)]),
        objects.pod("web", web.addresses, node.name, labels={"app": "web"}),
        objects.pod("client", client.addresses, node.name, labels={"app": "client"}),
    ]


def deny(node):
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
              "metadata": {"name": "deny", "namespace": "default"},
              "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"],
                       "ingress": []}}
    node.apply(objects.document(policy))


def in_file(report, node, web, client):
    with report.check("a connection's start and end are logged with pods and Service by name"):
        lab.call(client.namespace, "ask", address=CLUSTER_IP, port=80, count=3)
        start = one_that("a start", event="start", to=f"{CLUSTER_IP}:80")
        expect_equal((start["fromPod"], start["toPod"], start["service"], start["verdict"]),
                     ("default/client", "default/web", "default/web", "forwarded"))
        expect_equal(start["translatedTo"], f"{web.address(4)}:{lab.LINES}")
        end = one_that("its end", event="end", to=f"{CLUSTER_IP}:80")
        expect(end["reason"] in ("expired", "removed") and end["replied"], end)
        expect(end["packets"] >= 4 and end["replyPackets"] >= 3, end)
        expect(end["bytes"] > 40 * end["packets"] and end["replyBytes"] > 40 * end["replyPackets"],
               end)
    deny(node)
    with report.check("a connection that a policy denies is logged with the policy's name"):
        lab.call(client.namespace, "refused", address=web.address(4), port=lab.LINES, timeout=0.7)
        denied = one_that("a denial", event="denied", to=f"{web.address(4)}:{lab.LINES}")
        expect_equal((denied["verdict"], denied["reason"], denied["policies"],
                      denied["fromPod"], denied["toPod"]),
                     ("denied", "policy_ingress", ["default/deny"], "default/client",
                      "default/web"))
    node.ctl("delete", "networkpolicy", "default/deny")
    with report.check("nothing was lost, and stats counts what was logged"):
        counted = node.stats()["flowLog"]
        expect_equal(counted["lost"], 0, "lost")
        expect(counted["written"] >= len(lines()), counted)


def collected(report, collector):
    """The same, as nfdump reads it."""
    if collector is None:
        report.skip("nfcapd reads the IPFIX records", "nfdump is not installed")
        return
    with report.check("nfcapd reads the IPFIX records, and finds no fault in them"):
        collector.stop()
        said = collector.output()
        expect("Sequence Errors: 0, Bad Packets: 0" in said, said[-500:])
        text = run(["nfdump", "-R", FOLDER, "-o", "json"]).stdout
        records = json.loads(text)
        sent = [each for each in records if each.get("dst4_addr") == CLUSTER_IP]
        expect(any(each.get("nat_event") == "NAT44 session create"
                   and each.get("dst_xlt_port") == str(lab.LINES) for each in sent), sent[:3])
        expect(any(each.get("nat_event") == "NAT44 session delete" for each in sent), sent[:3])
        expect(any(each.get("in_packets", 0) > 0 for each in records), "no denied packet")
        ended = [each for each in sent if each.get("nat_event") == "NAT44 session delete"]
        expect(all(each.get("in_packets", 0) >= 4 and each.get("in_bytes", 0) > 160
                   for each in ended), ended[:3])


def counted(report, node, client):
    load = lab.spawn_call(client.namespace, "load", address=CLUSTER_IP, port=80, clients=2, held=1,
                          seconds=30, pause=0.01)
    with report.check("get flows has packets and bytes both ways, and an order by them"):
        def carried():
            flows = json.loads(node.ctl("get", "flows", "--service", "default/web", "--sort",
                                        "bytes", "--limit", "5", "-o", "json").stdout)
            return flows if flows and flows[0]["replyPackets"] > 0 else None
        flows = wait_until(carried, 10, "packets of a connection")
        sums = [each["bytes"] + each["replyBytes"] for each in flows]
        expect_equal(sums, sorted(sums, reverse=True), "order")
        wide = node.ctl("get", "flows", "--service", "default/web", "-o", "wide").stdout
        expect("REPLY-BYTES" in wide.splitlines()[0], wide)
    with report.check("top names the connections that carry most"):
        lab.call(client.namespace, "bulk", address=CLUSTER_IP, port=81,
                 size=4 * lab.MEBI, seed=1, timeout=60)
        text = node.ctl("top", "--count", "3", "--sort", "bytes").stdout
        text = text.rpartition("podlane top")[2]
        row = text.partition("FLOW FROM")[2].splitlines()[1]
        expect(row.startswith(client.address(4)), text)
        expect(re.search(r"TCP +[\d.]+k? +[\d.]+[kM]?", row), text)
    load.stop()


def openers(report, node, client):
    load = lab.spawn_call(client.namespace, "load", address=CLUSTER_IP, port=80, clients=2, held=1,
                          seconds=30, pause=0.01)
    with report.check("top names who opens most connections"):
        wait_until(lambda: node.ctl("get", "flows", "--service", "default/web").stdout, 10, "load")
        text = node.ctl("top", "--count", "4").stdout.rpartition("podlane top")[2]
        expect("OPENS FLOWS" in text, text)
        row = text.partition("OPENS FLOWS")[2].splitlines()[1]
        expect_equal(row.split()[:2], [client.address(4), "default/client"])
    load.stop()


@lab.with_cluster(names=("a",), outside=False, start=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    node.config["flowLog"] = {"file": FILE, "ipfix": f"127.0.0.1:{PORT}"}
    node.config["flows"]["timeouts"] = {"tcpTimeWait": 1, "tcpClose": 1}
    node.config["flows"]["counters"] = "on"
    collector = None
    if shutil.which("nfcapd") and shutil.which("nfdump"):
        os.makedirs(FOLDER, exist_ok=True)
        collector = node.namespace.spawn(
            ["nfcapd", "-p", str(PORT), "-b", "127.0.0.1", "-w", FOLDER, "-t", "3600"])
        collector.wait_for_line(lambda line: "Startup nfcapd" in line, 10, "nfcapd")
    cluster.start()
    web = cluster.pod("a", "web")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(*objects_of(node, web, client))
    in_file(report, node, web, client)
    collected(report, collector)
    counted(report, node, client)
    openers(report, node, client)


if __name__ == "__main__":
    lab.main(tests)
