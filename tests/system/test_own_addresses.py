"""What processes on the node itself reach at the node's own addresses."""

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from test_contract import FAMILIES, at, cluster_ip, how, ports, servers, slice_of


def rules(node, family):
    """(preference, table) of each rule of the node's kernel."""
    shown = node.namespace.ip_json(f"-{family}", "rule", "show")
    return sorted((rule["priority"], rule["table"]) for rule in shown)


def services(report, cluster, family, pod):
    """A NodePort, an external address and a load balancer's, all at the node's own address."""
    node = cluster.nodes["a"]
    own = node.address(family)
    name = f"own{family}"
    node_port = 30180 + family * 2
    external = [{**port, "port": 90 + index} for index, port in enumerate(ports())]
    cluster.apply(
        objects.service(name, [cluster_ip(family, 60)], ports(node_port)),
        slice_of(name, family, [at(pod, family)]),
        objects.service(f"{name}-external", [cluster_ip(family, 61)], external,
                        externalIPs=[own]),
        slice_of(f"{name}-external", family, [at(pod, family)]))
    for what, port in (("NodePort", node_port), ("external address", 90)):
        with report.check(f"from the node itself: IPv{family}, its own address at a {what}"):
            expect_equal(set(servers(node.namespace, own, port)), {pod.name})
        with report.check(f"IPv{family}: the same by UDP, {what}"):
            seen = lab.call(node.namespace, "ask_udp", address=own, port=port + 1, count=3)
            expect_equal([server for server, _ in seen["answers"]], [pod.name] * 3)
    with report.check(f"IPv{family}: a port that is no Service's is the node's kernel's"):
        expect_equal(how(node.namespace, own, 30999), "refused")
    if family == 4:
        with report.check("a NodePort at 127.0.0.1 is not served"):
            expect_equal(how(node.namespace, "127.0.0.1", node_port), "refused")


def host_port(report, cluster, pod):
    """Container ports of a pod, at all addresses of the node and at 127.0.0.1."""
    node = cluster.nodes["a"]
    given = [{"containerPort": lab.LINES, "hostPort": 8088},
             {"containerPort": lab.LINES, "hostPort": 8089, "hostIP": "127.0.0.1"}]
    cluster.apply(objects.pod(pod.name, pod.addresses, node.name, ports=given))
    for family in FAMILIES:
        with report.check(f"from the node itself: IPv{family}, a hostPort at its own address"):
            expect_equal(set(servers(node.namespace, node.address(family), 8088)), {pod.name})
    with report.check("from the node itself: a hostPort with hostIP 127.0.0.1"):
        expect_equal(set(servers(node.namespace, "127.0.0.1", 8089)), {pod.name})
    with report.check("nobody else reaches that one"):
        expect_equal(how(cluster.outside, node.address(4), 8089), "refused")


def tests(report, options, cluster):
    node = cluster.nodes["a"]
    pod = cluster.pod("a", "web")
    before = {family: rules(node, family) for family in FAMILIES}
    # The strictest setting of a node about packets' sources.
    node.namespace.sysctl("net.ipv4.conf.all.rp_filter", 1)
    for family in FAMILIES:
        services(report, cluster, family, pod)
    host_port(report, cluster, pod)
    with report.check("rules of podlane's own stand ahead of the kernel's"):
        for family in FAMILIES:
            expect(rules(node, family)[0] == (96, "9600"), rules(node, family))
    with report.check("at the end the kernel's rules are as they were"):
        expect_equal(node.stop(), 0, "exit code")
        expect_equal({family: rules(node, family) for family in FAMILIES}, before)


if __name__ == "__main__":
    lab.main(lab.with_cluster(names=("a",))(tests))
