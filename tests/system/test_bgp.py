"""LoadBalancer addresses told to a router by BGP: BIRD on a node takes them from its kernel."""

import shutil
import signal

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import Namespace, Wire, add_addresses, wait_until

# In no subnet of the wire: reachable only by a route.
POOLS = ["198.51.100.0/28", "2001:db8:1::/124"]
FAMILIES = (4, 6)
ROUTERS = ["192.168.50.254", "fd50::fe"]

BIRD = """
router id {id};
protocol device {{}}
protocol direct {{ ipv4; ipv6; }}
protocol kernel {{ {learn} ipv4 {{ {table} }}; }}
protocol kernel {{ {learn} ipv6 {{ {table} }}; }}
protocol bgp peer {{
    local {local} as {local_as};
    neighbor {peer} as {peer_as};
    ipv4 {{ import all; export where source = RTS_INHERIT; next hop self; }};
    ipv6 {{ import all; export where source = RTS_INHERIT; next hop address {next_hop}; }};
}}
"""
# Only the routes that podlaned has written; on the router, those that the node announces.
FROM_KERNEL = {"learn": "learn;", "table": "import where krt_source = 96; export none;"}
TO_KERNEL = {"learn": "", "table": "import none; export where source = RTS_BGP;"}


def start_bird(namespace, **settings):
    folder = f"/run/lab/bird-{namespace.name}"
    with open(f"{folder}.conf", "w", encoding="utf-8") as file:
        file.write(BIRD.format(**settings))
    return namespace.spawn([shutil.which("bird", path="/usr/sbin:/usr/bin"), "-f", "-c",
                            f"{folder}.conf", "-s", f"{folder}.ctl", "-P", f"{folder}.pid"])


def start_birds(cluster):
    node = cluster.nodes["a"]
    start_bird(node.namespace, id="192.0.2.101", local=node.addresses[0], local_as=64501,
               peer=ROUTERS[0], peer_as=64502, next_hop=node.addresses[1], **FROM_KERNEL)
    start_bird(cluster.outside, id="192.0.2.102", local=ROUTERS[0], local_as=64502,
               peer=node.addresses[0], peer_as=64501, next_hop=ROUTERS[1], **TO_KERNEL)


def service(pod):
    ports = [objects.port(80, lab.LINES)]
    made = objects.service("web", ["10.96.0.50", "fd00:10:96::50"], ports, type="LoadBalancer",
                           externalTrafficPolicy="Cluster")
    return [made] + [
        objects.endpoint_slice("web", [objects.endpoint(pod.address(family), pod.node.name)],
                               [("main", "TCP", lab.LINES)], family=family)
        for family in FAMILIES
    ]


def routes(namespace, family, protocol):
    """Destinations and gateways of a protocol's routes in a kernel's table."""
    found = namespace.ip_json(f"-{family}", "route", "show", "proto", protocol)
    return {each["dst"]: each.get("gateway", "") for each in found}


def addresses(node):
    found = node.json("get", "addresses")
    return {6 if ":" in each["address"] else 4: each["address"] for each in found}


def client_behind(cluster):
    """A client that reaches the cluster only through the router."""
    far = Wire("far")
    client = Namespace("client")
    for namespace, interface, own in ((cluster.outside, "eth1", ("192.0.2.254/24",
                                                                 "2001:db8:2::fe/64")),
                                      (client, "eth0", ("192.0.2.10/24", "2001:db8:2::10/64"))):
        far.plug(namespace, interface)
        add_addresses(namespace, interface, own)
    client.ip("route", "add", "default", "via", "192.0.2.254")
    client.ip("-6", "route", "add", "default", "via", "2001:db8:2::fe")
    cluster.outside.sysctl("net.ipv4.ip_forward", 1)
    cluster.outside.sysctl("net.ipv6.conf.all.forwarding", 1)
    return client


def told(report, cluster, client, given, when):
    node = cluster.nodes["a"]
    for family in FAMILIES:
        with report.check(f"IPv{family}: {when}: the node's kernel has a route, proto 96"):
            expect_equal(routes(node.namespace, family, "96"), {given[family]: ""})
        with report.check(f"IPv{family}: {when}: the router learns it from BIRD on the node"):
            wait_until(lambda f=family: given[f] in routes(cluster.outside, f, "bird"), 20,
                       "the router has the route")
            expect(lab.same_address(routes(cluster.outside, family, "bird")[given[family]],
                                    node.address(family)), "by another next hop")
        with report.check(f"IPv{family}: {when}: a client behind the router reaches it"):
            answers = lab.call(client, "ask", address=given[family], port=80, count=10)
            expect_equal({server for server, _ in answers}, {"server"})
        with report.check(f"IPv{family}: {when}: a port that it does not serve refuses"):
            seen = lab.call(client, "refused", address=given[family], port=81)
            expect_equal(seen["how"], "refused")


def gone(report, cluster, given, what):
    node = cluster.nodes["a"]
    for family in FAMILIES:
        with report.check(f"IPv{family}: {what}: the node's and the router's route go"):
            expect_equal(routes(node.namespace, family, "96"), {}, "on the node")
            wait_until(lambda f=family: given[f] not in routes(cluster.outside, f, "bird"), 10,
                       "the router forgets it")


def crash(report, cluster, pod, given):
    node = cluster.nodes["a"]
    with report.check("podlaned killed leaves no route"):
        node.stop(signal.SIGKILL)
        expect_equal([routes(node.namespace, family, "96") for family in FAMILIES], [{}, {}])
    with report.check("started again it makes the same ones"):
        node.start()
        cluster.apply(*cluster.node_objects(), *service(pod))
        expect_equal(addresses(node), given)
        expect_equal([set(routes(node.namespace, family, "96")) for family in FAMILIES],
                     [{given[4]}, {given[6]}])


@lab.with_cluster(start=False, names=("a",))
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    node.config["loadBalancer"] = {"pools": POOLS}
    node.config["uplinks"][0]["gateway"] = ROUTERS
    cluster.start()
    client = client_behind(cluster)
    start_birds(cluster)
    pod = cluster.pod("a", "server")
    cluster.apply(*service(pod))
    given = addresses(node)
    told(report, cluster, client, given, "a new Service")

    unready = cluster.node_objects()[0]
    unready["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    other = objects.node("node-b", ["10.244.2.0/24"], ["192.168.50.2"])
    cluster.apply(unready, other)
    gone(report, cluster, given, "a Node that is not ready")
    node.ctl("delete", "node", "node-b")
    cluster.apply(*cluster.node_objects())
    told(report, cluster, client, given, "a Node that is ready again")

    node.ctl("delete", "service", "default/web")
    gone(report, cluster, given, "a Service that is deleted")
    crash(report, cluster, pod, given)
    client.close()


if __name__ == "__main__":
    if shutil.which("bird", path="/usr/sbin:/usr/bin") is None:
        print("1..0 # SKIP bird is not installed (Debian: bird2)")
    else:
        lab.main(tests)
