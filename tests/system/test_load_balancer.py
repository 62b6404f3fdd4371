"""Addresses of LoadBalancer Services: given from pools, answered by one node, and moved."""

import collections
import re

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until

FAMILIES = (4, 6)
POOLS = ["192.168.50.200-192.168.50.215", "fd50::200-fd50::20f"]
CLUSTER_IPS = {"web": ("10.96.0.50", "fd00:10:96::50"), "near": ("10.96.0.51", "fd00:10:96::51")}


def balanced(name, policy="Cluster"):
    made = objects.service(name, list(CLUSTER_IPS[name]), [objects.port(80, lab.LINES)],
                           type="LoadBalancer", externalTrafficPolicy=policy)
    made["spec"]["ipFamilyPolicy"] = "RequireDualStack"
    return made


def slices(name, pods):
    return [
        objects.endpoint_slice(
            name, [objects.endpoint(pod.address(family), pod.node.name) for pod in pods],
            [("main", "TCP", lab.LINES)], family=family)
        for family in FAMILIES
    ]


def addresses(node, name):
    """The Service's addresses by family, as its status has them."""
    status = node.json("get", "services", f"default/{name}")["status"]
    ips = [each["ip"] for each in status["loadBalancer"].get("ingress", [])]
    return {6 if ":" in ip else 4: ip for ip in ips}


def owner(node, address):
    return node.json("get", "addresses", address)[0]["node"]


def with_ready(made, ready):
    status = {**made["status"], "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {**made, "status": status}


def mac_of(node):
    return node.json("get", "ports", "uplink0")[0]["mac"]


def seen_mac(client, address):
    """The MAC address of an address in the client's kernel, "" for none."""
    found = [each for each in client.ip_json("neigh", "show", "to", address)
             if each.get("lladdr")]
    return found[0]["lladdr"] if found else ""


def forget(client, address):
    client.run(["ip", "neigh", "del", address, "dev", "eth0"], check=False)


def servers(client, address, count=20):
    answers = lab.call(client, "ask", address=address, port=80, count=count)
    return collections.Counter(server for server, _ in answers), {seen for _, seen in answers}


def given(report, cluster, here, there):
    """Both nodes choose the same addresses, and outside clients reach the Service by them."""
    cluster.apply(balanced("web"), *slices("web", [here, there]))
    both = [addresses(node, "web") for node in cluster.nodes.values()]
    with report.check("nodes that do not talk give a Service the same address of each family"):
        expect_equal(sorted(both[0]), [4, 6], "families")
        expect_equal(both[0], both[1])
    with report.check("get services shows the address"):
        listing = cluster.nodes["a"].ctl("get", "services").stdout
        expect(both[0][4] in listing and both[0][6] in listing, listing)
    for family in FAMILIES:
        address = both[0][family]
        who = {owner(node, address) for node in cluster.nodes.values()}
        with report.check(f"IPv{family}: nodes agree on who answers for the address"):
            expect_equal(len(who), 1, f"{who}")
        with report.check(f"IPv{family}: one node alone answers, with its MAC address"):
            forget(cluster.outside, address)
            expression = "arp" if family == 4 else "icmp6"
            with Capture(cluster.outside, "eth0", expression) as capture:
                lab.call(cluster.outside, "ask", address=address, port=80)
            answers = [line for line in capture.listing("-e", "-v")
                       if re.search(rf"Reply {address} is-at|tgt is {address},", line)]
            macs = {line.split()[1] for line in answers}
            chosen = cluster.nodes[who.pop()[-1]]
            expect_equal(macs, {mac_of(chosen)}, "answers from")
        with report.check(f"IPv{family}: the outside reaches endpoints of both nodes by it"):
            expect_equal(set(servers(cluster.outside, address)[0]), {here.name, there.name})
        with report.check(f"IPv{family}: a pod and the node's kernel reach it"):
            for client in (here.namespace, cluster.nodes["a"].namespace):
                expect(servers(client, address, 5)[0], "no answer")
        with report.check(f"IPv{family}: a port that it does not serve refuses"):
            seen = lab.call(cluster.outside, "refused", address=address, port=81)
            expect_equal(seen["how"], "refused")
    return both[0]


def moves(report, cluster, address, family, change, undo=None):
    """`change(node)` takes the address from its node; the client learns this without asking."""
    before = owner(cluster.nodes["a"], address)
    loser = cluster.nodes[before[-1]]
    winner = next(node for node in cluster.nodes.values() if node is not loser)
    lab.call(cluster.outside, "ask", address=address, port=80)
    expect_equal(seen_mac(cluster.outside, address), mac_of(loser), "before")
    what = change(loser)
    with report.check(f"IPv{family}: {what}: the other node takes the address over and says so"):
        wait_until(lambda: seen_mac(cluster.outside, address) == mac_of(winner), 10,
                   f"{address} is at {winner.name}")
        expect_equal(owner(winner, address), winner.name)
    with report.check(f"IPv{family}: {what}: the outside reaches the Service by it as before"):
        expect(servers(cluster.outside, address, 5)[0], "no answer")
    if undo:
        undo(loser)
        with report.check(f"IPv{family}: {what} no more: the address comes back"):
            wait_until(lambda: seen_mac(cluster.outside, address) == mac_of(loser), 10,
                       f"{address} is at {loser.name} again")
            expect(servers(cluster.outside, address, 5)[0], "no answer")


def node_object(cluster, node):
    return next(each for each in cluster.node_objects() if each["metadata"]["name"] == node.name)


def readiness(report, cluster, web):
    def not_ready(node):
        cluster.apply(with_ready(node_object(cluster, node), False))
        return "its Node is not ready"

    def ready(node):
        cluster.apply(with_ready(node_object(cluster, node), True))

    for family in FAMILIES:
        moves(report, cluster, web[family], family, not_ready, ready)


def local_policy(report, cluster, here, there):
    """With traffic policy Local, a node with an endpoint answers."""
    cluster.apply(balanced("near", "Local"), *slices("near", [there]))
    near = addresses(cluster.nodes["a"], "near")
    for family in FAMILIES:
        with report.check(f"IPv{family}: policy Local: the node with the endpoint answers"):
            expect_equal(owner(cluster.nodes["a"], near[family]), "node-b")
            reached, seen = servers(cluster.outside, near[family], 5)
            expect_equal(set(reached), {there.name})
            expect_equal(seen, {cluster.outside_address(family)}, "client as seen")
    cluster.apply(*slices("near", [here]))
    for family in FAMILIES:
        with report.check(f"IPv{family}: policy Local: the address follows the endpoint"):
            wait_until(lambda f=family: seen_mac(cluster.outside, near[f]) ==
                       mac_of(cluster.nodes["a"]), 10, "it is at node a")
            expect_equal(set(servers(cluster.outside, near[family], 5)[0]), {here.name})


def node_lost(report, cluster, web):
    """podlaned of the address's node is killed, and its Node goes with it."""
    family = 4
    loser = cluster.nodes[owner(cluster.nodes["a"], web[family])[-1]]
    winner = next(node for node in cluster.nodes.values() if node is not loser)
    lab.call(cluster.outside, "ask", address=web[family], port=80)
    loser_mac = mac_of(loser)
    loser.stop()
    with report.check("a node that stops leaves the address to the other one"):
        winner.ctl("delete", "node", loser.name)
        wait_until(lambda: seen_mac(cluster.outside, web[family]) not in ("", loser_mac), 10,
                   "the address moves")
        winner.apply(objects.document(*slices("web", [p for p in winner.pods])))
        expect(servers(cluster.outside, web[family], 5)[0], "no answer")
    with report.check("a node that starts again gives the same addresses"):
        loser.start()
        loser.apply(objects.document(*cluster.node_objects(), balanced("near", "Local"),
                                     balanced("web")))
        expect_equal(addresses(loser, "web"), web)
        expect_equal(addresses(loser, "near"), addresses(winner, "near"))


def exhausted(report, cluster):
    node = cluster.nodes["a"]
    many = []
    for number in range(16):
        made = objects.service(f"many{number}", [f"10.96.1.{number}"],
                               [objects.port(80, lab.LINES)], type="LoadBalancer")
        many.append(made)
    done = node.ctl("apply", "-f", "-", stdin=objects.document(*many))
    with report.check("a pool that is used up is said, and shown at the Services that wait"):
        expect_equal(done.stderr.count("PoolExhausted"), 2, done.stderr)
        expect_equal(node.ctl("get", "services").stdout.count("<pending>"), 2, "pending")
        expect("PoolExhausted" in node.ctl("-o", "wide", "get", "services").stdout, "no reason")
        expect_equal(node.stats()["loadBalancer"], {"assigned": 16, "pending": 2, "refused": 2})
    node.ctl("delete", "-f", "-", stdin=objects.document(*many))


@lab.with_cluster(start=False)
def tests(report, _options, cluster):
    for node in cluster.nodes.values():
        node.config["loadBalancer"] = {"pools": POOLS}
    cluster.start()
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    web = given(report, cluster, here, there)
    readiness(report, cluster, web)
    local_policy(report, cluster, here, there)
    exhausted(report, cluster)
    node_lost(report, cluster, web)


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
