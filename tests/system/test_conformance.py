"""Scenarios of Kubernetes' own network tests: Services that change, and flows that outlive that.

docs/conformance.md lists all scenarios, and our test for each.
"""

import cluster as lab
from checks import expect_equal
from lab import objects
from test_contract import FAMILIES, at, cluster_ip, how, ports, servers, slice_of


def delete(cluster, kind, name):
    for node in cluster.nodes.values():
        node.ctl("delete", kind, f"default/{name}")


def types(report, cluster, family, here, there):
    """One Service of changing type: its old addresses go, and its new ones are served."""
    name = f"types{family}"
    address = cluster_ip(family, 40)
    node = cluster.nodes["b"].address(family)
    node_port = 30170 + family * 2
    both = {here.name, there.name}
    ends = slice_of(name, family, [at(here, family), at(there, family)])
    external = objects.service(name, [address], [], type="ExternalName",
                               externalName="example.com")
    for key in ("clusterIP", "clusterIPs"):
        del external["spec"][key]
    steps = (("ExternalName", external, "timeout", "refused"),
             ("ClusterIP", objects.service(name, [address], ports()), both, "refused"),
             ("NodePort", objects.service(name, [address], ports(node_port)), both, both),
             ("ExternalName again", external, "timeout", "refused"))
    for what, service, inside, outside in steps:
        cluster.apply(service, ends)
        with report.check(f"IPv{family}: a Service becomes {what}"):
            for client, asked, port, wanted in ((here.namespace, address, 80, inside),
                                                (cluster.outside, node, node_port, outside)):
                seen = how(client, asked, port) if isinstance(wanted, str) else set(
                    servers(client, asked, port))
                expect_equal(seen, wanted)


def labels_and_life(report, cluster, family, here, there):
    """Services that are left to other proxies, removed, and created again."""
    name = f"life{family}"
    address = cluster_ip(family, 41)
    service = objects.service(name, [address], ports())
    cluster.apply(service, slice_of(name, family, [at(there, family)]))
    for label in ("service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"):
        metadata = {**service["metadata"], "labels": {label: "other"}}
        cluster.apply({**service, "metadata": metadata})
        with report.check(f"IPv{family}: a Service with the label {label} is left alone"):
            expect_equal(how(here.namespace, address), "timeout")
        cluster.apply(service)
        with report.check(f"IPv{family}: without {label} it is served"):
            expect_equal(set(servers(here.namespace, address)), {there.name})
    delete(cluster, "service", name)
    with report.check(f"IPv{family}: a removed Service is gone"):
        expect_equal(how(here.namespace, address), "timeout")
    cluster.apply(service)
    with report.check(f"IPv{family}: made again it is served"):
        expect_equal(set(servers(here.namespace, address)), {there.name})
    cluster.apply(objects.service(name, [address], [
        objects.port(8080, lab.LINES, name="lines"), *ports()[1:]]))
    with report.check(f"IPv{family}: a changed port is served, the former one refused"):
        expect_equal(set(servers(here.namespace, address, 8080)), {there.name})
        expect_equal(how(here.namespace, address, 80), "refused")


def distribution(report, cluster, family, here, there):
    """trafficDistribution, if the endpoints come from Pods."""
    name = f"near{family}"
    address = cluster_ip(family, 42)
    service = {word: objects.service(name, [address], ports(), selector={"app": name},
                                     trafficDistribution=word)
               for word in ("PreferClose", "PreferSameZone", "PreferSameNode")}

    def pod(one, ready=True):
        return objects.pod(f"{name}-{one.name}", one.addresses, one.node.name, ready=ready,
                           labels={"app": name})

    for word, made in service.items():
        cluster.apply(made, pod(here), pod(there))
        with report.check(f"IPv{family}: {word}: each client gets what is near"):
            for one in (here, there):
                expect_equal(set(servers(one.namespace, address)), {one.name})
        cluster.apply(pod(here, ready=False))
        with report.check(f"IPv{family}: {word}: and what is far when nothing near is ready"):
            expect_equal(set(servers(here.namespace, address)), {there.name})


def datagrams(report, cluster, family, here, there):
    """One UDP flow whose Service, endpoints and ports come, go and come back."""
    name = f"datagrams{family}"
    node = cluster.nodes["a"].address(family)
    node_port = 30180 + family
    service = objects.service(name, [cluster_ip(family, 43)],
                              [objects.port(80, lab.UDP, name="udp", protocol="UDP",
                                            node_port=node_port)])

    def asked():
        answers = lab.call(cluster.outside, "ask_udp", address=node, port=node_port, count=3,
                           timeout=0.5, source_port=5100 + family)["answers"]
        return {server for server, _ in answers}

    with report.check(f"IPv{family}: a UDP flow begun before the Service existed is served"):
        expect_equal(asked(), set())
        cluster.apply(service)
        expect_equal(asked(), set())
        cluster.apply(slice_of(name, family, [at(here, family, ready=False, serving=False)]))
        expect_equal(asked(), set())
        cluster.apply(slice_of(name, family, [at(here, family)]))
        expect_equal(asked(), {here.name})
    with report.check(f"IPv{family}: a UDP flow follows when its endpoint goes"):
        cluster.apply(slice_of(name, family, [at(there, family)]))
        expect_equal(asked(), {there.name})
    with report.check(f"IPv{family}: a UDP flow is refused when the last endpoint goes"):
        cluster.apply(slice_of(name, family, []))
        expect_equal(asked(), set())
    with report.check(f"IPv{family}: a UDP flow is served when one comes back"):
        cluster.apply(slice_of(name, family, [at(here, family)]))
        expect_equal(asked(), {here.name})
    with report.check(f"IPv{family}: a UDP flow follows a changed target port"):
        cluster.apply(objects.endpoint_slice(name, [at(here, family)], [("udp", "UDP", 9)],
                                             family=family))
        expect_equal(asked(), set())
        cluster.apply(slice_of(name, family, [at(here, family)]))
        expect_equal(asked(), {here.name})


def host_ports(report, cluster, here, there, third):
    """One hostPort of two pods of a node, told apart by hostIP and by protocol."""
    node = cluster.nodes["b"]
    number = 30190

    def pod(one, target, protocol, family):
        return objects.pod(f"host-port-{one.name}-{protocol}".lower(), one.addresses,
                           one.node.name, ports=[
            {"containerPort": target, "hostPort": number, "protocol": protocol,
             "hostIP": node.address(family)}])

    cluster.apply(pod(there, lab.LINES, "TCP", 4), pod(third, lab.LINES, "TCP", 6),
                  pod(third, lab.UDP, "UDP", 4))
    for who, client in (("outside", cluster.outside), ("a pod elsewhere", here.namespace)):
        with report.check(f"{who}: one hostPort at two hostIPs leads to two pods"):
            expect_equal([set(servers(client, node.address(family), number)) for family in (4, 6)],
                         [{there.name}, {third.name}])
        with report.check(f"{who}: and by another protocol to a third one"):
            answers = lab.call(client, "ask_udp", address=node.address(4), port=number, count=3,
                               timeout=0.5)["answers"]
            expect_equal({server for server, _ in answers}, {third.name})


def feeder(report, cluster, family, here):
    """Objects, legal and not, as a feeder applies them, with `each`."""
    name, address = f"1legal{family}", cluster_ip(family, 44)
    node_port = 30194 + family

    def made_at(day, name, spec):
        service = objects.service(name, [address], spec)
        service["metadata"]["creationTimestamp"] = f"2026-01-0{day}T00:00:00Z"
        return service

    sloppy = address.replace("10.96.0.", "010.96.00.0") if family == 4 else f"0{address}"
    legal = made_at(1, name, ports(node_port))
    legal["spec"].update(clusterIP=sloppy, clusterIPs=[sloppy], trafficDistribution="PreferMoon")
    twin = made_at(2, f"a-twin{family}", ports(node_port))
    twin["spec"].update(clusterIP=sloppy, clusterIPs=[sloppy])
    wrong = objects.service(f"wrong{family}", [cluster_ip(family, 45)],
                            [objects.port(70000, lab.LINES)])
    ends = slice_of(name, family, [{**at(here, family), "conditions": {
        "ready": False, "serving": None, "terminating": True}}])
    if family == 4:
        ends["endpoints"][0]["addresses"] = ["::ffff:" + here.address(4)]
    twin_ends = slice_of(twin["metadata"]["name"], family, [at(here, family)])
    text = objects.document(twin, wrong, legal, ends, twin_ends)
    rpc = cluster.nodes["a"].rpc()

    def refused():
        return {item["name"] for item in rpc.call("get", kind="services", refused=True)["items"]}

    try:
        with report.check(f"IPv{family}: of a feeder's objects the wrong one and the younger of "
                          "two are refused"):
            reply = rpc.call("apply", documents=text, each=True, owner="feeder")
            expect_equal(len(reply["added"]), 4)
            expect_equal(refused(), {f"a-twin{family}", f"wrong{family}"})
            expect_equal(rpc.call("health")["status"], "degraded")
        with report.check(f"IPv{family}: the others are served, as kube-proxy reads them"):
            expect_equal(set(servers(here.namespace, address)), {here.name})
            outside = cluster.nodes["a"].address(family)
            expect_equal(set(servers(cluster.outside, outside, node_port, 5)), {here.name})
        with report.check(f"IPv{family}: the younger takes over when the older goes"):
            rpc.call("delete", kind="service", name=f"default/{name}", owner="feeder")
            expect_equal(refused(), {f"wrong{family}"})
            expect_equal(set(servers(here.namespace, address)), {here.name})
    finally:
        rpc.call("delete", documents=text, owner="feeder")
        rpc.close()
    with report.check(f"IPv{family}: what was refused is forgotten with its objects"):
        problems = cluster.nodes["a"].json("health")["problems"]
        expect_equal([problem for problem in problems if "refused" in problem], [])


@lab.with_cluster()
def tests(report, _options, cluster):
    here, there = cluster.pod("a", "here"), cluster.pod("b", "there")
    third = cluster.pod("b", "third")
    cluster.apply(*(objects.with_zone(node, f"zone-{node['metadata']['name'][-1]}")
                    for node in cluster.node_objects()))
    for family in FAMILIES:
        types(report, cluster, family, here, there)
        labels_and_life(report, cluster, family, here, there)
        distribution(report, cluster, family, here, there)
        datagrams(report, cluster, family, here, there)
        feeder(report, cluster, family, here)
    host_ports(report, cluster, here, there, third)


if __name__ == "__main__":
    lab.main(tests, workers=1)
