#!/usr/bin/python3
"""Pods in the kernel, connected by podlaned or by the kernel's own bridge and veths.

Both sides are set up at once and take turns, run by run, so that other load on the machine hits
both: the ratios of medians are what counts. podlaned is the release build of PODLANE_BUILD. Needs
root, iperf3, wrk and nginx. `--only WORD` measures the rows with the word in their name.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from lab import objects  # noqa: E402
from lab.isolate import Unavailable, isolate  # noqa: E402
from lab.net import Wire  # noqa: E402
from lab.node import Node  # noqa: E402
from macro.machine import describe  # noqa: E402
from podnet import loads  # noqa: E402
from podnet.kernel_nodes import KernelNode  # noqa: E402
from table import check, say  # noqa: E402

SERVICES = 1000
CLUSTER_IP = "10.96.200.10"
RESTING_PODS = 100
REST = "a node at rest, 100 pods"


class Side:
    """One path from a client pod to a server pod."""

    def __init__(self, client, server, address, daemons=()):
        self.client, self.server, self.address = client, server, address
        self.iperf = loads.serve_iperf(server)
        self.nginx = loads.serve_nginx(server)
        self._daemons = daemons

    def measure(self, row, seconds):
        if row.kind == "iperf":
            pids = [node.daemon.popen.pid for node in self._daemons]
            return loads.iperf(self.client, self.iperf, self.address, loads.PORT, seconds,
                               row.words, pids)
        return loads.wrk(self.client, self.address, seconds, row.kind == "close")


class Row:
    """A line of the table: where, what is sent, and the ratios to reach."""

    def __init__(self, name, where, kind, words, must, aim):
        self.name, self.where, self.kind, self.words = name, where, kind, words
        self.must, self.aim = must, aim


def rows():
    udp = ["-u", "-b", "0", "-l"]
    return [
        Row("TCP, pod to pod", "node", "iperf", ["-P", "1"], 0.5, 0.8),
        Row("TCP, pod to pod, 8 streams", "node", "iperf", ["-P", "8"], 0.5, 0.8),
        Row("TCP, ClusterIP of 1,000", "service", "iperf", ["-P", "1"], None, None),
        Row("TCP, ClusterIP of 1,000, 8 streams", "service", "iperf", ["-P", "8"], None, None),
        Row("TCP, pod to pod, shortcut", "shortcut", "iperf", ["-P", "1"], 0.95, 1.0),
        Row("TCP, pod to pod, shortcut, 8 streams", "shortcut", "iperf", ["-P", "8"], 0.95, 1.0),
        Row("TCP, ClusterIP, shortcut", "cut-service", "iperf", ["-P", "1"], 1.0, 1.0),
        Row("TCP, ClusterIP, shortcut, 8 streams", "cut-service", "iperf", ["-P", "8"], 1.0, 1.0),
        Row("TCP, pod to node", "to-node", "iperf", ["-P", "1"], None, None),
        Row("TCP, node to pod", "from-node", "iperf", ["-P", "1"], None, None),
        Row("TCP, pod to node, shortcut", "cut-to-node", "iperf", ["-P", "1"], None, None),
        Row("TCP, pod to node, shortcut, 8 streams", "cut-to-node", "iperf", ["-P", "8"],
            None, None),
        Row("TCP, node to pod, shortcut", "cut-from-node", "iperf", ["-P", "1"], None, None),
        Row("TCP, node to pod, shortcut, 8 streams", "cut-from-node", "iperf", ["-P", "8"],
            None, None),
        Row("TCP, two nodes, VXLAN", "nodes", "iperf", ["-P", "1"], 0.7, 1.0),
        Row("TCP, two nodes, VXLAN, 8 streams", "nodes", "iperf", ["-P", "8"], 0.7, 1.0),
        Row("TCP, two nodes, VXLAN, shortcut", "cut-nodes", "iperf", ["-P", "1"], 0.7, 1.0),
        Row("TCP, two nodes, VXLAN, shortcut, 8 streams", "cut-nodes", "iperf", ["-P", "8"],
            0.7, 1.0),
        Row("UDP of 1,400 bytes, pod to pod", "node", "iperf", [*udp, "1400"], 0.5, 1.0),
        Row("UDP of 64 bytes, pod to pod", "node", "iperf", [*udp, "64"], 0.5, 1.0),
        Row("UDP of 1,400 bytes, shortcut", "shortcut", "iperf", [*udp, "1400"], 0.5, 1.0),
        Row("UDP of 64 bytes, shortcut", "shortcut", "iperf", [*udp, "64"], 0.5, 1.0),
        Row("requests, ClusterIP", "service", "requests", [], 0.9, 1.1),
        Row("new connections, ClusterIP", "service", "close", [], 0.8, 1.0),
        Row("requests, ClusterIP, shortcut", "cut-service", "requests", [], 0.9, 1.1),
        Row("new connections, ClusterIP, shortcut", "cut-service", "close", [], 0.8, 1.0),
    ]


def cluster_ip(number):
    return CLUSTER_IP if number == 0 else f"10.96.{100 + number // 250}.{number % 250 + 1}"


def podlane_services(endpoint, node):
    """SERVICES Services, all with this endpoint; only the first is used."""
    ports = [("http", "TCP", 8080), ("iperf", "TCP", loads.PORT)]
    for number in range(SERVICES):
        name = f"s{number}"
        yield objects.service(name, [cluster_ip(number)],
                              [objects.port(80, 8080, name="http"),
                               objects.port(loads.PORT, loads.PORT, name="iperf")])
        yield objects.endpoint_slice(name, [objects.endpoint(endpoint, node)], ports)


def kernel_services(endpoint):
    for number in range(SERVICES):
        yield cluster_ip(number), 80, endpoint, 8080
        yield cluster_ip(number), loads.PORT, endpoint, loads.PORT


def build(wire):
    """Builds the kernel's side and podlaned's side of each place; returns them by its name."""
    kernel = [KernelNode(number, 1450) for number in (1, 2)]
    addresses = [kernel[0].add_pod("a", 10), kernel[0].add_pod("b", 11), kernel[1].add_pod("c", 10)]
    for one, other in ((0, 1), (1, 0)):
        kernel[one].join(wire.namespace, other + 1, f"192.168.51.{other + 1}")
    kernel[0].add_routed_pod("ra", 10)
    routed = kernel[0].add_routed_pod("rb", 11)
    kernel[0].serve(kernel_services(routed))
    nodes = [Node(f"node-{name}", number, wire) for name, number in (("a", 1), ("b", 2))]
    cutting = [Node(f"node-{name}", number, wire, driver="net_tc", whole=True)
               for name, number in (("s", 3), ("t", 4))]
    for node in cutting:
        node.config["pods"]["shortcut"] = "auto"
    for node in (*nodes, *cutting):
        node.start().apply(objects.document(*[
            objects.node(each.name, each.pod_cidrs, each.addresses, each.vtep_mac)
            for each in (*nodes, *cutting)]))
    a, b, c = nodes[0].add_pod("a"), nodes[0].add_pod("b"), nodes[1].add_pod("c")
    nodes[0].apply(objects.document(*podlane_services(b.address(4), "node-a")))
    sa, sb, sc = cutting[0].add_pod("sa"), cutting[0].add_pod("sb"), cutting[1].add_pod("sc")
    cutting[0].apply(objects.document(*podlane_services(sb.address(4), "node-s")))
    cut = Side(sa.namespace, sb.namespace, sb.address(4), cutting[:1])
    k = kernel[0].pods
    local = Side(a.namespace, b.namespace, b.address(4), nodes[:1])
    remote = Side(k["a"], kernel[1].pods["c"], addresses[2])
    bridged, routed = Side(k["a"], k["b"], addresses[1]), Side(k["ra"], k["rb"], CLUSTER_IP)
    # The second node of the kernel has no rules: its bridge alone is between pod and node.
    to_node = Side(kernel[1].pods["c"], kernel[1].space, "10.98.2.1")
    to_nodes = [Side(pod.namespace, node.namespace, node.address(4), [node])
                for pod, node in ((a, nodes[0]), (sa, cutting[0]))]
    sides = {"node": (bridged, local),
             "shortcut": (bridged, cut),
             "service": (routed, _through(local, CLUSTER_IP)),
             "cut-service": (routed, _through(cut, CLUSTER_IP)),
             "to-node": (to_node, to_nodes[0]),
             "cut-to-node": (to_node, to_nodes[1]),
             "from-node": (_through(remote, addresses[2], kernel[1].space),
                           _through(local, b.address(4), nodes[0].namespace)),
             "cut-from-node": (_through(remote, addresses[2], kernel[1].space),
                               _through(cut, sb.address(4), cutting[0].namespace)),
             "nodes": (remote, Side(a.namespace, c.namespace, c.address(4), nodes)),
             "cut-nodes": (remote, Side(sa.namespace, sc.namespace, sc.address(4), cutting))}
    return sides, [*nodes, *cutting]


def _through(side, address, client=None):
    """The same server, reached by another address, or from another client."""
    other = Side.__new__(Side)
    other.__dict__.update(side.__dict__)
    other.address = address
    other.client = client or side.client
    return other


def measure(row, sides, runs, seconds):
    """Medians of both sides, which take turns."""
    found = ([], [])
    for _ in range(runs):
        for results, side in zip(found, sides):
            results.append(side.measure(row, seconds))
            loads.settle()
    return [{key: statistics.median(each[key] for each in results) for key in results[0]}
            for results in found]


def rest(wire, seconds):
    """Percent of a CPU that podlaned takes while its pods are silent."""
    node = Node("node-r", 4, wire)
    node.config["pods"]["shortcut"] = "auto"
    node.start()
    for number in range(RESTING_PODS):
        node.add_pod(f"r{number}")
    time.sleep(3)  # the pods' kernels have asked for routers
    clock = loads.Clock([node.daemon.popen.pid])
    time.sleep(seconds)
    share = clock.seconds() / seconds * 100
    node.close()
    return share


def show(done):
    print("| what | kernel | podlaned | ratio | must | aim | Gbit/CPU s: kernel | podlaned |")
    print("|---|---|---|---|---|---|---|---|")
    for row, kernel, podlane in done:
        unit = "Gbit/s" if row.kind == "iperf" else "/s"
        ratio = podlane["rate"] / kernel["rate"]
        limits = [f"{limit:g}" if limit else "" for limit in (row.must, row.aim)]
        per_cpu = [f"{each['per_cpu']:.1f}" if "per_cpu" in each else "" for each in
                   (kernel, podlane)]
        print(f"| {row.name} | {kernel['rate']:.4g} {unit} | {podlane['rate']:.4g} {unit} | "
              f"{ratio:.2f} | {' | '.join(limits)} | {' | '.join(per_cpu)} |")
        if "p99" in kernel:
            tail = podlane["p99"] / kernel["p99"]
            print(f"| its 99th percentile | {kernel['p99']:.3g} ms | {podlane['p99']:.3g} ms | "
                  f"{tail:.2f} | | | | |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each")
    parser.add_argument("--only", default="", help="rows that have this in their name")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    try:
        isolate()
    except Unavailable as reason:
        say(f"skipped: {reason}")
        sys.exit(77)
    runs, seconds = (1, 1) if options.quick else (options.runs, options.seconds)
    wire = Wire()
    if options.only in REST:
        say(f"  {REST}: {rest(wire, 10 * seconds):.2f} % of a CPU, at most 1")
    wanted = [row for row in rows() if options.only in row.name]
    check(wanted or options.only in REST, f"no row has {options.only!r} in its name")
    if not wanted:
        return
    sides, nodes = build(wire)
    done = []
    for row in wanted:
        kernel, podlane = measure(row, sides[row.where], runs, seconds)
        say(f"  {row.name}: {kernel['rate']:.4g}, {podlane['rate']:.4g}")
        done.append((row, kernel, podlane))
    show(done)
    if options.json:
        figures = [{"name": row.name, "kernel": kernel, "podlaned": podlane}
                   for row, kernel, podlane in done]
        options.json.write_text(json.dumps({"machine": describe(), "rows": figures}, indent=1))
    for node in nodes:
        node.close()


if __name__ == "__main__":
    main()
