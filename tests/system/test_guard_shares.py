"""One pod, or one outside host, cannot use up flows, source ports or broadcasts of the others."""

import re

import cluster as lab
import frames
from checks import expect
from lab import objects
from test_bad_packets import mac_of

SERVICE, NODE_PORT = "10.96.0.20", 30080
CAPACITY = 8192


def median_ms(namespace, address):
    """The median of 40 pings; none may be lost."""
    received, output = lab.ping(namespace, address, count=40, interval=0.02, patient=True)
    expect(received == 40, f"{received} of 40 answers: {output[-300:]}")
    times = sorted(float(t) for t in re.findall(r"time=([\d.]+)", output))
    return times[len(times) // 2]


def tests(report, options):
    cluster = lab.Cluster(workers=options.workers, names=("a",), start=False)
    node = cluster.nodes["a"]
    node.config["flows"] = {"capacity": CAPACITY}
    try:
        cluster.start()
        shares(report, cluster, node)
    except Exception:
        for line in cluster.describe():
            print("#", line.replace("\n", "\n# "))
        raise
    finally:
        cluster.close()


def shares(report, cluster, node):
    greedy = cluster.pod("a", "greedy", servers=False)
    server = cluster.pod("a", "server")
    client = cluster.pod("a", "client", servers=False)
    for number in range(8):
        cluster.pod("a", f"other-{number}", servers=False)
    cluster.apply(
        objects.service("web", [SERVICE], [objects.port(80, lab.LINES, node_port=NODE_PORT)]),
        objects.endpoint_slice("web", [objects.endpoint(server.address(4), node.name)],
                               [("main", "TCP", lab.LINES)]))
    lab.expect_ping(greedy.namespace, node.gateway(4), count=1)
    gateway = greedy.namespace.ip_json("neigh", "show", node.gateway(4))[0]["lladdr"]
    mine = mac_of(greedy.namespace, "eth0")

    def others(name):
        for what, namespace, address, port in (
            ("another pod's to the ClusterIP", client.namespace, SERVICE, 80),
            ("a stranger's to the NodePort", cluster.outside, node.address(4), NODE_PORT),
        ):
            with report.check(f"{name}: new connections, {what}: 99 of 100"):
                made = lab.call(namespace, "connect_many", address=address, port=port, count=100)
                expect(made >= 99, f"{made} of 100; {node.stats()['flows']} {node.drops()}")

    others("quiet")
    endpoint = [server.address(4), lab.LINES]
    flood = lab.spawn_call(
        greedy.namespace, "flood_tcp", interface="eth0", source_mac=mine, target_mac=gateway,
        sources=[greedy.address(4)], target=SERVICE, port=80, count=3 * CAPACITY,
        endpoint=endpoint)
    others("while a pod opens connections and answers itself")
    lab.result_of(flood, 60)
    others("and after it")
    with report.check("what the pod said in the endpoint's name is dropped: pod_source_spoofed"):
        expect(node.drops().get("pod_source_spoofed", 0) > CAPACITY, node.drops())

    before = node.stats()["flows"]["evicted"]
    lab.call(cluster.outside, "flood_tcp", interface="eth0",
             source_mac=mac_of(cluster.outside, "eth0"),
             target_mac=mac_of(node.namespace, "eth1"),
             sources=[f"198.51.100.{n}" for n in range(1, 250)], target=node.address(4),
             port=NODE_PORT, count=66000)
    others("after 66,000 SYNs with forged sources to the NodePort")
    with report.check("half-open connections gave their places up, and no source port is short"):
        flows, drops = node.stats()["flows"], node.drops()
        expect(flows["evicted"] > before, flows)
        expect("snat_ports_exhausted" not in drops, drops)

    with report.check("a deleted pod takes all of its connections with it"):
        greedy_address = greedy.address(4)
        greedy.remove()
        lab.wait_until(lambda: not any(greedy_address in str(flow)
                                       for flow in node.json("get", "flows")),
                       10, "its flows are gone")

    noisy = cluster.pod("a", "noisy", servers=False)
    mine = mac_of(noisy.namespace, "eth0")
    quiet = median_ms(client.namespace, server.address(4))
    arp = bytes.fromhex("0001080006040001") + frames.mac(mine)
    arp += bytes(map(int, noisy.address(4).split("."))) + b"\0" * 6 + bytes([10, 244, 1, 250])
    noise = frames.ethernet(mine, "ff:ff:ff:ff:ff:ff", 0x0806, arp).hex()
    flood = lab.spawn_call(noisy.namespace, "repeat_frame", interface="eth0", frame=noise,
                           seconds=3)
    lab.wait_until(lambda: node.drops().get("flood_share_full", 0) > 100, 5, "the share is used up")
    noisy_ms = median_ms(client.namespace, server.address(4))
    lab.result_of(flood, 20)
    with report.check(f"others' pings beside a pod's broadcasts: {noisy_ms} ms, quiet {quiet} ms"):
        # A millisecond for the CPU time that the flooding process takes.
        expect(noisy_ms < 2 * quiet + 1, "longer than twice")
    cluster.stop_checks(report)


if __name__ == "__main__":
    lab.main(tests, workers=1)
