#!/usr/bin/python3
"""Long churn, and a check that nothing grows: memory, packet buffers, descriptors, slots.

Pods come and go, Services and their endpoints change, connections open and close, and now and then
podlaned is restarted or upgraded to itself. Every `--every` seconds its gauges are read; they go to
a CSV file and, as a plot, to an SVG beside it. Ends with an error if a gauge of the last third is
more than a fifth above that of the second. Needs root; runs in namespaces of its own.
"""

import argparse
import csv
import os
import random
import signal
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), path)
                for path in ("../scripts", "../tests/system")]

import cluster as lab_cluster  # noqa: E402
from lab import objects  # noqa: E402
from lab.isolate import isolate  # noqa: E402
from lab.net import Wire  # noqa: E402
from lab.node import Node  # noqa: E402

GAUGES = ["rss_kb", "descriptors", "mbufs_used", "flows", "ports", "objects", "journal_kb"]
FLAT = ["rss_kb", "descriptors", "mbufs_used", "ports"]  # these must not grow
FACTOR, SLACK = 1.2, {"rss_kb": 8192, "descriptors": 8, "mbufs_used": 256, "ports": 2}


def sample(node, started):
    pid = node.daemon.popen.pid
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    stats = node.stats()
    journal = node.socket.removesuffix(".sock") + ".state/journal"
    return {"seconds": round(time.monotonic() - started),
            "rss_kb": rss,
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "mbufs_used": stats["frames"]["buffers"]["inUse"],
            "flows": stats["flows"]["active"],
            "ports": len(node.json("get", "ports")),
            "objects": len(node.json("get", "services")),
            "journal_kb": os.path.getsize(journal) // 1024}


def plot(rows, path):
    """A line for each gauge, each on a scale of its own."""
    width, height, left = 900, 90, 130
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 20}" '
             f'height="{(height + 20) * len(GAUGES) + 30}" font-family="sans-serif" '
             'font-size="12">']
    last = max(rows[-1]["seconds"], 1)
    for index, gauge in enumerate(GAUGES):
        top = index * (height + 20) + 10
        values = [row[gauge] for row in rows]
        most = max(values) or 1
        points = " ".join(f"{left + row['seconds'] / last * width:.1f},"
                          f"{top + height - row[gauge] / most * height:.1f}" for row in rows)
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" '
                     f'stroke="#ccc"/><polyline points="{points}" fill="none" stroke="#036"/>'
                     f'<text x="4" y="{top + 14}">{gauge}</text>'
                     f'<text x="4" y="{top + 30}">most {most}</text>')
    parts.append(f'<text x="{left}" y="{(height + 20) * len(GAUGES) + 20}">0 to {last} s</text>'
                 "</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


def service(number, pods, node):
    name = f"churn{number}"
    ends = [objects.endpoint(pod.address(4), node.name) for pod in random.sample(pods, 2)]
    return objects.document(
        objects.service(name, [f"10.96.9.{number + 1}"],
                        [objects.port(80, lab_cluster.HELD, name="held")]),
        objects.endpoint_slice(name, ends, [("held", "TCP", lab_cluster.HELD)]))


def churn(node, pods, number):
    """One turn: a Service, some connections, a pod that comes and goes."""
    node.apply(service(number % 20, pods, node))
    client = pods[number % len(pods)]
    lab_cluster.call(client.namespace, "ask", address=f"10.96.9.{number % 20 + 1}", port=80,
                     count=20)
    if number % 5 == 4:
        node.ctl("delete", "service", f"default/churn{number % 20}")
    passing = node.add_pod(f"passing{number}", [f"10.244.1.{200 + number % 50}"])
    lab_cluster.ping(passing.namespace, pods[0].address(4), count=2)
    passing.remove()


def judge(rows):
    third = len(rows) // 3
    wrong = []
    for gauge in FLAT:
        middle = max(row[gauge] for row in rows[third:2 * third])
        end = max(row[gauge] for row in rows[2 * third:])
        grows = end > middle * FACTOR + SLACK[gauge]
        print(f"{gauge}: at most {middle} in the second third, {end} in the last"
              f"{': it grows' if grows else ''}")
        if grows:
            wrong.append(gauge)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples")
    parser.add_argument("--restart-every", type=float, default=0, help="seconds; 0: never")
    parser.add_argument("--out", default="soak", help="writes OUT.csv and OUT.svg")
    options = parser.parse_args()
    out = os.path.abspath(options.out)
    isolate()
    wire = Wire()
    node = Node("node-a", 1, wire, keep=True)
    node.start()
    pods = [node.add_pod(f"pod{number}", [f"10.244.1.{number + 10}"]) for number in range(6)]
    for pod in pods:
        lab_cluster.keep_answering(pod.namespace, pod.name)
    started = time.monotonic()
    rows, number, due, restart = [], 0, 0.0, options.restart_every
    while time.monotonic() - started < options.minutes * 60:
        churn(node, pods, number)
        number += 1
        now = time.monotonic() - started
        if restart and now > restart:
            restart += options.restart_every
            node.stop(random.choice((signal.SIGTERM, signal.SIGKILL)))
            node.start(timeout=60)
        if now >= due:
            due = now + options.every
            rows.append(sample(node, started))
    with open(out + ".csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["seconds", *GAUGES])
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, out + ".svg")
    print(f"{number} turns, {len(rows)} samples in {rows[-1]['seconds']} s: {out}.csv, {out}.svg")
    wrong = judge(rows)
    node.end()
    node.close()
    wire.namespace.close()
    if wrong:
        sys.exit(f"not flat: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
