"""kube-proxy's contract beyond addresses and ports: policies, conditions, hints, refusals."""

import collections
import json
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects

FAMILIES = (4, 6)
VIP = {4: "192.0.2.80", 6: "2001:db8:8::80"}
EXTERNAL = {4: "198.51.100.7", 6: "2001:db8:7::7"}
LINES = [("lines", "TCP", lab.LINES), ("udp", "UDP", lab.UDP)]


def cluster_ip(family, number):
    return f"fd00:10:96::{number:x}" if family == 6 else f"10.96.0.{number}"


def ports(node_port=None):
    return [objects.port(80, lab.LINES, name="lines", node_port=node_port),
            objects.port(80, lab.UDP, name="udp", protocol="UDP",
                         node_port=node_port and node_port + 1)]


def slice_of(name, family, endpoints):
    return objects.endpoint_slice(name, endpoints, LINES, family=family)


def at(pod, family, **conditions):
    return objects.endpoint(pod.address(family), pod.node.name, **conditions)


def servers(namespace, address, port=80, count=30):
    answers = lab.call(namespace, "ask", address=address, port=port, count=count)
    return collections.Counter(server for server, _ in answers)


def how(namespace, address, port=80, protocol="tcp"):
    return lab.call(namespace, "refused", address=address, port=port, protocol=protocol,
                    timeout=1)["how"]


def load_balancer(name, family, number, **spec):
    status = {"loadBalancer": {"ingress": [{"ip": VIP[family], "ipMode": "VIP"}]}}
    made = objects.service(name, [cluster_ip(family, number)], ports(), type="LoadBalancer",
                           externalTrafficPolicy="Cluster", **spec)
    return {**made, "status": status}


def outside_addresses(report, cluster, family, here, there):
    """Addresses that are on no interface: externalIPs and a load balancer's."""
    name = f"outside{family}"
    made = load_balancer(name, family, 20)
    made["spec"]["externalIPs"] = [EXTERNAL[family]]
    cluster.apply(made, slice_of(name, family, [at(here, family), at(there, family)]))
    both = {here.name, there.name}
    clients = [("outside", cluster.outside), ("a pod", here.namespace),
               ("the node's kernel", cluster.nodes["a"].namespace)]
    for who, client in clients:
        for what, address in (("a load balancer's address", VIP[family]),
                              ("an external IP", EXTERNAL[family])):
            with report.check(f"IPv{family}: {who} reaches {what}"):
                expect_equal(set(servers(client, address)), both)
    made["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy"
    cluster.apply(made)
    with report.check(f"IPv{family}: an address with ipMode Proxy is not ours"):
        expect(how(here.namespace, VIP[family]) != "answered", "it was answered")
    with report.check(f"IPv{family}: another port of an external IP is none of the Service's"):
        expect(how(here.namespace, EXTERNAL[family], 81) != "refused", "it was refused")


def source_ranges(report, cluster, family, here, other, there):
    name = f"ranges{family}"
    mask = 128 if family == 6 else 32
    allowed = [f"{other.address(family)}/{mask}", f"{cluster.outside_address(family)}/{mask}"]
    cluster.apply(load_balancer(name, family, 21, loadBalancerSourceRanges=allowed),
                  slice_of(name, family, [at(there, family)]))
    for who, client, passes in (("the pod in the ranges", other.namespace, True),
                                ("another pod", here.namespace, False),
                                ("the outside client in the ranges", cluster.outside, True),
                                ("the node's kernel", cluster.nodes["a"].namespace, False)):
        word = "passes" if passes else "is dropped"
        with report.check(f"IPv{family}: loadBalancerSourceRanges: {who} {word}"):
            expect_equal(how(client, VIP[family]), "answered" if passes else "timeout")
    with report.check(f"IPv{family}: loadBalancerSourceRanges do not concern the ClusterIP"):
        expect_equal(set(servers(here.namespace, cluster_ip(family, 21))), {there.name})


def local_policies(report, cluster, family, here, there):
    name = f"local{family}"
    address = cluster_ip(family, 22)
    for policy, wanted in (("Local", {here.name}), ("Cluster", {here.name, there.name})):
        cluster.apply(objects.service(name, [address], ports(), internalTrafficPolicy=policy),
                      slice_of(name, family, [at(here, family), at(there, family)]))
        with report.check(f"IPv{family}: internalTrafficPolicy {policy}"):
            expect_equal(set(servers(here.namespace, address)), wanted)
    cluster.apply(objects.service(name, [address], ports(), internalTrafficPolicy="Local"),
                  slice_of(name, family, [at(there, family)]))
    with report.check(f"IPv{family}: internalTrafficPolicy Local with endpoints elsewhere drops"):
        expect_equal(how(here.namespace, address), "timeout")
    cluster.apply(slice_of(name, family, []))
    with report.check(f"IPv{family}: internalTrafficPolicy Local without any endpoint refuses"):
        expect_equal(how(here.namespace, address), "refused")
    cluster.apply(objects.service(name, [address], ports(30100 + family),
                                  externalTrafficPolicy="Local"),
                  slice_of(name, family, [at(there, family)]))
    with report.check(f"IPv{family}: externalTrafficPolicy Local: a pod here gets what is there"):
        expect_equal(set(servers(here.namespace, cluster.nodes["a"].address(family),
                                 30100 + family)), {there.name})


def health_check(report, cluster, family, here, there):
    """The health check by which a load balancer finds nodes with endpoints."""
    name = f"checked{family}"
    port = 32100 + family
    made = load_balancer(name, family, 28)
    made["spec"].update(externalTrafficPolicy="Local", healthCheckNodePort=port)

    def asked(node, client):
        address = cluster.nodes[node].address(family)
        url = f"http://[{address}]:{port}/" if family == 6 else f"http://{address}:{port}/"
        done = client.run(["curl", "-sgi", "--max-time", "5", url])
        head, _, body = done.stdout.partition("\n\n")
        answer = json.loads(body)
        expect_equal(answer["service"], {"namespace": "default", "name": name})
        expect_equal(answer["serviceProxyHealthy"], True)
        expect(f"X-Load-Balancing-Endpoint-Weight: {answer['localEndpoints']}" in head, head)
        return int(head.split()[1]), answer["localEndpoints"]

    cluster.apply(made, slice_of(name, family, [at(here, family)]))
    for who, client in (("outside", cluster.outside), ("a pod", there.namespace)):
        with report.check(f"IPv{family}: healthCheckNodePort tells {who} which node has endpoints"):
            expect_equal([asked("a", client), asked("b", client)], [(200, 1), (503, 0)])
    cluster.apply(slice_of(name, family, [
        at(there, family), at(here, family, ready=False, terminating=True)]))
    with report.check(f"IPv{family}: healthCheckNodePort follows the endpoints"):
        expect_equal([asked("a", cluster.outside), asked("b", cluster.outside)],
                     [(503, 0), (200, 1)])
    made["spec"].update(externalTrafficPolicy="Cluster")
    del made["spec"]["healthCheckNodePort"]
    cluster.apply(made)
    with report.check(f"IPv{family}: healthCheckNodePort goes with policy Local"):
        expect_equal(how(cluster.outside, cluster.nodes["a"].address(family), port), "refused")


def terminating(report, cluster, family, here, there):
    name = f"ending{family}"
    address = cluster_ip(family, 23)
    ending = {"ready": False, "terminating": True}
    service = objects.service(name, [address], ports(30110 + family * 2),
                              externalTrafficPolicy="Local")
    node = cluster.nodes["a"].address(family)
    states = (
        ("one ready", [at(here, family, **ending), at(there, family)], {there.name}),
        ("all terminating", [at(here, family, **ending), at(there, family, **ending)],
         {here.name, there.name}),
        ("one serves no more", [at(here, family, **ending),
                                at(there, family, serving=False, **ending)], {here.name}),
    )
    for what, endpoints, wanted in states:
        cluster.apply(service, slice_of(name, family, endpoints))
        with report.check(f"IPv{family}: terminating endpoints: {what}"):
            expect_equal(set(servers(there.namespace, address)), wanted)
        with report.check(f"IPv{family}: terminating endpoints, policy Local: {what}"):
            expect_equal(set(servers(cluster.outside, node, 30110 + family * 2, 5)), {here.name})


def not_ready(report, cluster, family, here, there):
    name = f"unready{family}"
    address = cluster_ip(family, 24)
    unready = [at(here, family), at(there, family, ready=False, serving=False)]
    for publish, wanted in ((False, {here.name}), (True, {here.name, there.name})):
        cluster.apply(objects.service(name, [address], ports(), publishNotReadyAddresses=publish),
                      slice_of(name, family, unready))
        with report.check(f"IPv{family}: publishNotReadyAddresses {publish}"):
            expect_equal(set(servers(here.namespace, address)), wanted)


def hints(report, cluster, family, here, there):
    name = f"hinted{family}"
    address = cluster_ip(family, 25)

    def hinted(pod, zone, *nodes):
        return {**at(pod, family), "hints": {"forZones": [{"name": zone}],
                                             "forNodes": [{"name": node} for node in nodes]}}

    clients = {"a": here, "b": there}
    cluster.apply(objects.service(name, [address], ports()),
                  slice_of(name, family, [hinted(here, "zone-a"), hinted(there, "zone-b")]))
    for node, client in clients.items():
        with report.check(f"IPv{family}: hints: node {node} stays in its zone"):
            expect_equal(set(servers(client.namespace, address)), {client.name})
    cluster.apply(slice_of(name, family, [hinted(here, "zone-a", "node-b"),
                                          hinted(there, "zone-b", "node-a")]))
    for node, client in clients.items():
        other = clients["b" if node == "a" else "a"]
        with report.check(f"IPv{family}: hints for nodes come first on node {node}"):
            expect_equal(set(servers(client.namespace, address)), {other.name})
    cluster.apply(slice_of(name, family, [hinted(here, "zone-a"), at(there, family)]))
    with report.check(f"IPv{family}: hints: where one endpoint has none, none counts"):
        expect_equal(set(servers(here.namespace, address)), {here.name, there.name})


def affinity(report, cluster, family, pods):
    name = f"sticky{family}"
    address = cluster_ip(family, 27)
    client = pods[-1].namespace

    def service(seconds):
        return objects.service(name, [address], ports(30140 + family * 2),
                               sessionAffinity="ClientIP", sessionAffinityConfig={
                                   "clientIP": {"timeoutSeconds": seconds}})

    def endpoints(chosen):
        return slice_of(name, family, [at(pod, family) for pod in chosen])

    def one(who, asked=address, port=80, count=30):
        seen = servers(who, asked, port, count)
        expect(len(seen) == 1, f"several servers: {seen}")
        return next(iter(seen))

    cluster.apply(service(10800), endpoints(pods[:-1]))
    with report.check(f"IPv{family}: sessionAffinity: every connection to one server"):
        first = one(client)
    with report.check(f"IPv{family}: sessionAffinity: by a NodePort, too"):
        expect_equal(one(client, cluster.nodes["a"].address(family), 30140 + family * 2), first)
        one(cluster.outside, cluster.nodes["b"].address(family), 30140 + family * 2)
    with report.check(f"IPv{family}: sessionAffinity: UDP has its own"):
        answers = [lab.call(client, "ask_udp", address=address, port=80, count=10)["answers"]
                   for _ in range(2)]
        expect(len({server for each in answers for server, _ in each}) == 1, f"{answers}")
    with report.check(f"IPv{family}: sessionAffinity survives that endpoints come and go"):
        own = next(pod for pod in pods if pod.name == first)
        cluster.apply(endpoints([own, pods[-1]]))
        expect_equal(one(client), first)
        cluster.apply(endpoints(pods))
        expect_equal(one(client), first)
    with report.check(f"IPv{family}: sessionAffinity ends with its endpoint, and begins anew"):
        cluster.apply(endpoints([pod for pod in pods if pod is not own]))
        second = one(client)
        expect(second != first, "the endpoint is gone")
        cluster.apply(endpoints(pods))
        expect_equal(one(client), second)
    with report.check(f"IPv{family}: sessionAffinity ends after its time"):
        cluster.apply(service(3))
        one(client, count=3)
        seen = set()

        def another():
            time.sleep(4.1)
            seen.update(servers(client, address, count=1))
            return len(seen) > 1

        lab.wait_until(another, 80, "another server")


def node_endpoint(report, cluster, family, here, there):
    """An endpoint on a node itself, as the API server's."""
    name = f"node{family}"
    address = cluster_ip(family, 26)
    node, other = cluster.nodes["a"], cluster.nodes["b"]
    node_port = 30130 + family * 2
    cluster.apply(objects.service(name, [address], ports(node_port)),
                  slice_of(name, family, [objects.endpoint(node.address(family), node.name)]))
    clients = (("a pod on it", here.namespace, here.address(family)),
               ("a pod elsewhere", there.namespace, there.address(family)),
               ("the other node's kernel", other.namespace, other.address(family)),
               ("the node's own kernel", node.namespace, node.gateway(family)))
    for who, client, seen_as in clients:
        with report.check(f"IPv{family}: a node as endpoint: {who} reaches it"):
            for answers in (lab.call(client, "ask", address=address, port=80, count=5),
                            lab.call(client, "ask_udp", address=address, port=80,
                                     count=5)["answers"]):
                expect_equal(answers, [["kernel-a", seen_as]] * 5)
    with report.check(f"IPv{family}: a node as endpoint sees the outside client at a NodePort"):
        answers = lab.call(cluster.outside, "ask", address=node.address(family), port=node_port,
                           count=5)
        expect_equal(answers, [["kernel-a", cluster.outside_address(family)]] * 5)
    with report.check(f"IPv{family}: a node as endpoint, by the other node's NodePort"):
        answers = lab.call(cluster.outside, "ask", address=other.address(family), port=node_port,
                           count=5)
        expect_equal(answers, [["kernel-a", other.address(family)]] * 5)


def ping_and_host_port(report, cluster, family, here, there):
    with report.check(f"IPv{family}: ping to a ClusterIP is refused"):
        received, output = lab.ping(here.namespace, cluster_ip(family, 20), count=1)
        expect(received == 0 and "port unreachable" in output.lower(), output)
    number = 9000 + family
    cluster.apply(objects.pod(f"host-port{family}", there.addresses, there.node.name, ports=[
        {"containerPort": lab.LINES, "hostPort": number, "protocol": "TCP"}]))
    for who, client in (("outside", cluster.outside), ("a pod elsewhere", here.namespace),
                        ("the other node's kernel", cluster.nodes["a"].namespace)):
        with report.check(f"IPv{family}: {who} reaches a hostPort"):
            expect_equal(set(servers(client, cluster.nodes["b"].address(family), number, 3)),
                         {there.name})


@lab.with_cluster()
def tests(report, _options, cluster):
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    other, third = cluster.pod("a", "other"), cluster.pod("b", "third")
    lab.serve(cluster.nodes["a"].namespace, "kernel-a")
    cluster.apply(*(objects.with_zone(node, f"zone-{node['metadata']['name'][-1]}")
                    for node in cluster.node_objects()))
    for family in FAMILIES:
        for address in (VIP[family], EXTERNAL[family]):
            node = cluster.nodes["a"]
            cluster.outside.run(["ip", f"-{family}", "route", "add", address, "via",
                                 node.address(family)])
            if family == 6:  # the nodes have only an IPv4 default route
                node.namespace.run(["ip", "-6", "route", "add", address, "dev", "podlane0", "via",
                                    node.gateway(family), "onlink"])
        outside_addresses(report, cluster, family, here, there)
        source_ranges(report, cluster, family, here, other, there)
        local_policies(report, cluster, family, here, there)
        health_check(report, cluster, family, here, there)
        terminating(report, cluster, family, here, there)
        not_ready(report, cluster, family, here, there)
        hints(report, cluster, family, here, there)
        affinity(report, cluster, family, [here, there, third, other])
        node_endpoint(report, cluster, family, here, there)
        ping_and_host_port(report, cluster, family, here, there)


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
