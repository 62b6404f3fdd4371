#!/usr/bin/python3
"""How long a node is away during a restart, and what it costs to get its pods back.

A node with pods on TAPs and Services by the config socket; one pod pings another every 5 ms while
podlaned is stopped, by SIGTERM or kill -9, and started again. `away` is the longest time between
two replies, `ready` the time from the start of the new process to its `ready`. A third pod holds
connections to a Service all the while; on half of them the server sends. A connection counts as
kept if it has the same server after the last restart. Needs root; runs in namespaces of its own.
"""

import argparse
import os
import re
import signal
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), path)
                for path in ("../scripts", "../tests/system")]

import cluster as lab_cluster  # noqa: E402
from lab import objects  # noqa: E402
from lab.isolate import isolate  # noqa: E402
from lab.net import Wire, wait_until  # noqa: E402
from lab.node import Node  # noqa: E402

INTERVAL = 0.005
HELD = "10.96.0.40"  # the Service of the held connections
END = "/run/lab/end-of-holding"


def longest_gap(log):
    """Seconds between two replies, from the times of ping -D."""
    times = [float(text) for text in re.findall(r"^\[(\d+\.\d+)\] \d+ bytes", log, re.M)]
    return max((b - a for a, b in zip(times, times[1:])), default=float("nan")), len(times)


def services(count, node):
    items = []
    for index in range(count):
        name = f"service{index:05}"
        address = f"10.{100 + index // 60000}.{index // 250 % 240}.{index % 250 + 1}"
        items.append(objects.service(name, [address], [objects.port(80, 8080, name="http")]))
        ends = [objects.endpoint(f"10.244.1.{10 + index % 200}", node)]
        items.append(objects.endpoint_slice(name, ends, [("http", "TCP", 8080)]))
    return objects.document(*items)


def hold(node, pods, count):
    """Starts the connections that must be kept."""
    ends = []
    for number in (0, 1):
        lab_cluster.keep_answering(pods[number].namespace, f"server{number}")
        ends.append(objects.endpoint(pods[number].address(4), node.name))
    node.ctl("apply", "-f", "-", stdin=objects.document(
        objects.service("held", [HELD], [objects.port(80, lab_cluster.HELD, name="held")]),
        objects.endpoint_slice("held", ends, [("held", "TCP", lab_cluster.HELD)])))
    held = lab_cluster.hold(pods[2].namespace, address=HELD, port=80, end=END, seconds=600,
                            asking=count // 2, hearing=count - count // 2)
    wait_until(lambda: node.stats()["flows"]["active"] >= count, 60, "connections are there")
    return held


def measure(node, pods, number, name):
    log = f"/run/lab/ping-{name}.log"
    ping = pods[0].namespace.spawn(["ping", "-D", "-n", "-i", str(INTERVAL), pods[1].address(4)],
                                   log)
    time.sleep(1)
    started = time.monotonic()
    node.stop(number)
    ended = time.monotonic() - started
    started = time.monotonic()
    node.start(timeout=120)
    ready = time.monotonic() - started
    time.sleep(2)
    ping.stop(signal.SIGINT)
    gap, answers = longest_gap(ping.output())
    print(f"{name:<10} {ended * 1e3:8.0f} ms end {ready * 1e3:8.0f} ms ready "
          f"{gap * 1e3:8.0f} ms away  {answers} answers", flush=True)
    return gap


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, default=200)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=500)
    options = parser.parse_args()
    isolate()
    wire = Wire()
    node = Node("node-a", 1, wire, keep=True)
    node.start()
    started = time.monotonic()
    pods = [node.add_pod(f"pod{number}", [f"10.244.1.{number + 10}"])
            for number in range(options.pods)]
    print(f"{options.pods} pods made in {time.monotonic() - started:.1f} s", flush=True)
    node.ctl("apply", "-f", "-", stdin=services(options.services, node.name), timeout=120)
    held = hold(node, pods, options.connections)
    gaps = []
    for number in range(options.rounds):
        gaps.append(measure(node, pods, signal.SIGTERM, f"SIGTERM{number}"))
        gaps.append(measure(node, pods, signal.SIGKILL, f"kill-9-{number}"))
    shown = [port for port in node.json("get", "ports") if port["kind"] == "pod"]
    found = len(node.json("get", "frontends"))
    with open(END, "w", encoding="utf-8"):
        pass
    moved = lab_cluster.result_of(held, 90)["moved"]
    print(f"{options.connections - len(moved)} of {options.connections} connections kept")
    print(f"{len(shown)} pods, {found} frontends at the end; longest away {max(gaps):.3f} s")
    if len(shown) != options.pods or found != options.services + 1 or moved:
        sys.exit("something was lost")
    node.end()
    node.close()
    wire.namespace.close()


if __name__ == "__main__":
    main()
