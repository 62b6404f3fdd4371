"""NetworkPolicies: who reaches whom, on which port, and what a change does to connections."""

import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until

FAMILIES = (4, 6)
NODE_PORT = 30080
DNS = "10.96.0.10"
EDGE_NGINX = {"namespaceSelector": {"matchLabels": {"role": "edge"}},
              "podSelector": {"matchLabels": {"app": "nginx"}}}


def policy(name, spec, namespace="shop"):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def web_policy(peers, port=lab.LINES):
    return policy("web", {"podSelector": {"matchLabels": {"app": "web"}},
                          "policyTypes": ["Ingress"],
                          "ingress": [{"from": peers, "ports": [{"port": port}]}]})


def remove(cluster, *names, space="shop"):
    for node in cluster.nodes.values():
        for name in names:
            node.ctl("delete", "networkpolicy", f"{space}/{name}")


def make_pod(cluster, node, name, space, **labels):
    pod = cluster.nodes[node].add_pod(name, namespace=space)
    lab.serve(pod.namespace, name)
    cluster.apply(pod_object(pod, node, name, space, labels))
    return pod


def pod_object(pod, node, name, space, labels):
    return objects.pod(name, pod.addresses, f"node-{node}", namespace=space, labels=labels,
                       ports=[{"name": "lines", "containerPort": lab.LINES}])


def reaches(client, address, port=lab.LINES, timeout=0.7):
    how = lab.call(client, "refused", address=address, port=port, timeout=timeout)["how"]
    expect(how in ("answered", "timeout"), f"what is not allowed is not answered at all: {how}")
    return how == "answered"


def expect_reached(client, address, port=lab.LINES):
    expect(reaches(client, address, port, timeout=5),
           f"{client.name} does not reach {address} {port}")


def expect_shut_out(client, address, port=lab.LINES):
    expect(not reaches(client, address, port), f"{client.name} reaches {address} {port}")


def only_nginx(report, cluster, pods):
    """The demo's policy: ingress only from the ingress controller, on one port."""
    web = pods["web"]
    for family in FAMILIES:
        address = web.address(family)
        with report.check(f"IPv{family}: without a policy everybody reaches the pod"):
            for name in ("nginx", "other", "far-nginx", "far-other"):
                expect_reached(pods[name].namespace, address)
    cluster.apply(web_policy([EDGE_NGINX]))
    for family in FAMILIES:
        address = web.address(family)
        with report.check(f"IPv{family}: the ingress controller reaches it, here and there"):
            for name in ("nginx", "far-nginx"):
                expect_reached(pods[name].namespace, address)
                answers = lab.call(pods[name].namespace, "ask", address=address, port=lab.LINES,
                                   count=20)
                expect_equal({server for server, _ in answers}, {"web"})
        with report.check(f"IPv{family}: on that port alone"):
            for name in ("nginx", "far-nginx"):
                expect_shut_out(pods[name].namespace, address, lab.BULK)
                expect_equal(lab.ping(pods[name].namespace, address, count=1, wait=1)[0], 0)
        with report.check(f"IPv{family}: nobody else reaches it, here and there"):
            for name in ("other", "far-other"):
                expect_shut_out(pods[name].namespace, address)
        with report.check(f"IPv{family}: its own connections go out, and are answered"):
            for name in ("other", "far-other"):
                lab.expect_bulk(web.namespace, pods[name].address(family), lab.MEBI)
            lab.expect_ping(web.namespace, pods["other"].address(family), count=3)
        with report.check(f"IPv{family}: its own node reaches it, as kubelet's probes do"):
            expect_reached(cluster.nodes["a"].namespace, address, lab.BULK)


def through_services(report, cluster, pods):
    """Policies see the endpoint, and the client's address before masquerading."""
    web, node = pods["web"], cluster.nodes["a"]
    ports = [objects.port(80, lab.LINES, name="lines", node_port=NODE_PORT)]
    cluster.apply(objects.service("web", ["10.96.0.20"], ports, namespace="shop"),
                  objects.endpoint_slice("web", [objects.endpoint(web.address(4), "node-a")],
                                         [("lines", "TCP", lab.LINES)], namespace="shop"))
    with report.check("by the ClusterIP as well: the ingress controller, and nobody else"):
        for name in ("nginx", "far-nginx"):
            expect_reached(pods[name].namespace, "10.96.0.20", 80)
        for name in ("other", "far-other"):
            expect_shut_out(pods[name].namespace, "10.96.0.20", 80)
    with report.check("by a NodePort: an outside client only once an ipBlock has its address"):
        expect_shut_out(cluster.outside, node.address(4), NODE_PORT)
        block = {"ipBlock": {"cidr": cluster.outside_address(4) + "/32"}}
        cluster.apply(web_policy([EDGE_NGINX, block]))
        expect_reached(cluster.outside, node.address(4), NODE_PORT)
        cluster.apply(web_policy([EDGE_NGINX]))
        expect_shut_out(cluster.outside, node.address(4), NODE_PORT)


def what_the_operator_sees(report, cluster, pods):
    node, web = cluster.nodes["a"], pods["web"]
    with report.check("drops are counted by name"):
        before = node.drops().get("policy_ingress", 0)
        expect_shut_out(pods["other"].namespace, web.address(4))
        expect(node.drops()["policy_ingress"] > before, f"{node.drops()}")
    with report.check("explain says which policy lets in, and which do not"):
        def step(client):
            told = node.json("explain", "--from", f"{client}", "--to",
                             f"{web.address(4)}:{lab.LINES}")
            return told["verdict"], next(each for each in told["steps"]
                                         if each["stage"] == "policy")
        verdict, why = step("ingress/nginx")
        expect_equal((verdict, why["what"]), ("forward", "allowed"))
        expect("shop/web" in why["why"], why)
        verdict, why = step("shop/other")
        expect_equal((verdict, why["what"]), ("drop", "drop"))
        expect("shop/web" in why["why"], why)
    with report.check("get networkpolicies says how many pods of this node each selects"):
        for name, count in (("a", 1), ("b", 0)):
            listed = cluster.nodes[name].json("get", "networkpolicies", "shop/web")
            one = listed[0] if isinstance(listed, list) else listed
            expect_equal(one["status"]["podsHere"], count, name)


def live_changes(report, cluster, pods):
    """Connections stop when they are no longer allowed, and go on when they are again."""
    web = pods["web"]
    for name, first in (("other", "bridged before any policy"), ("far-other", "from another node")):
        remove(cluster, "web")
        with report.check(f"a connection {first} stops, and goes on when it is allowed again"):
            client = lab.spawn_call(pods[name].namespace, "talk", address=web.address(4),
                                    port=lab.LINES, seconds=6)
            time.sleep(1)
            cluster.apply(web_policy([EDGE_NGINX]))
            stopped = time.monotonic()
            time.sleep(1)
            resumed = time.monotonic()
            cluster.apply(web_policy([{"podSelector": {}}, EDGE_NGINX,
                                      {"namespaceSelector": {}}]))
            answers = lab.result_of(client, 20)
            expect(len([at for at in answers if at < stopped]) > 10, "it did not run before")
            # One answer may already have been on its way to the client.
            late = [at - stopped for at in answers if stopped < at < resumed]
            expect(len(late) <= 1, f"answers after the policy was there: {late}")
            expect([at for at in answers if at > resumed], "it did not go on")
    cluster.apply(web_policy([EDGE_NGINX]))
    with report.check("a label lets a pod in at once, and shuts it out at once"):
        other = pods["other"]
        cluster.apply(web_policy([{"podSelector": {"matchLabels": {"app": "nginx"}}}]))
        expect_shut_out(other.namespace, web.address(4))
        for app, wanted in (("nginx", True), ("other", False)):
            cluster.apply(pod_object(other, "a", "other", "shop", {"app": app}))
            expect_equal(reaches(other.namespace, web.address(4), timeout=5 if wanted else 0.7),
                         wanted, app)


def default_deny(report, cluster, pods):
    """A namespace where only DNS and one port, by its name, are allowed."""
    web, other = pods["web"], pods["other"]
    remove(cluster, "web")
    cluster.apply(policy("deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
    names = ["web.shop.svc.cluster.local"]

    def resolves():
        return lab.call(web.namespace, "dns_by_one_socket", check=False, address=DNS, count=1,
                        names=names, timeout=0.7) is not None

    with report.check("default deny: no way out, no way in, no names"):
        expect_shut_out(web.namespace, pods["far-other"].address(4))
        expect_shut_out(web.namespace, other.address(6))
        expect_shut_out(pods["far-nginx"].namespace, web.address(6))
        expect(not resolves(), "names resolve")
        expect_shut_out(web.namespace, DNS, 53)
        expect(cluster.nodes["a"].drops()["policy_egress"] >= 4, cluster.nodes["a"].drops())
    with report.check("default deny: a pod reaches itself and its gateway"):
        expect_reached(web.namespace, web.address(4))
        lab.expect_ping(web.namespace, cluster.nodes["a"].gateway(4), count=3)
    kube_dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name":
                                                      "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    cluster.apply(policy("dns", {
        "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{"to": [kube_dns], "ports": [{"port": 53, "protocol": "UDP"},
                                                {"port": 53, "protocol": "TCP"}]}]}))
    with report.check("kube-dns in kube-system is the node's DNS server, by UDP and TCP"):
        wait_until(resolves, 3, "names resolve")
        expect_reached(web.namespace, DNS, 53)
        expect_shut_out(web.namespace, pods["far-other"].address(4))
    cluster.apply(policy("lines", {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "lines"}]}],
        "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": "lines"}]}]}))
    with report.check("both ends allow it: pods of the namespace, on the port by its name"):
        for family in FAMILIES:
            expect_reached(web.namespace, other.address(family))
            expect_shut_out(web.namespace, other.address(family), lab.BULK)
    remove(cluster, "deny", "dns", "lines")
    with report.check("without policies all is open again"):
        expect_reached(web.namespace, other.address(4), lab.BULK)
        expect_reached(pods["far-nginx"].namespace, web.address(6), lab.BULK)


@lab.with_cluster()
def tests(report, _options, cluster):
    cluster.apply(namespace("ingress", role="edge"), namespace("shop"))
    pods = {
        "web": make_pod(cluster, "a", "web", "shop", app="web"),
        "other": make_pod(cluster, "a", "other", "shop", app="other"),
        "nginx": make_pod(cluster, "a", "nginx", "ingress", app="nginx"),
        "far-nginx": make_pod(cluster, "b", "far-nginx", "ingress", app="nginx"),
        "far-other": make_pod(cluster, "b", "far-other", "ingress", app="other"),
    }
    only_nginx(report, cluster, pods)
    through_services(report, cluster, pods)
    what_the_operator_sees(report, cluster, pods)
    live_changes(report, cluster, pods)
    default_deny(report, cluster, pods)


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
