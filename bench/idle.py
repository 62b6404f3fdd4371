#!/usr/bin/python3
"""A node at rest: what it costs with a hundred quiet pods, and how fast its first packet is.

The real daemon with pods in namespaces, with `idle: poll` and `idle: adaptive` in turn. CPU time is
of all threads of podlaned, by the scheduler's own clock. A probe is a ping from one pod to another
after a pause, answered by the other pod's kernel: its time includes at most two wake-ups of the
worker, and the same work in both modes. Needs root. `--quick` only checks that it works.
"""

import argparse
import json
import os
import pathlib
import random
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from lab.isolate import Unavailable, isolate  # noqa: E402
from lab.net import PYTHON, Namespace  # noqa: E402
from live import Live  # noqa: E402
from macro.machine import cpu_ns  # noqa: E402
from table import Table, check, say  # noqa: E402


def node_config(idle):
    return {"node": "node-a", "idle": idle, "memory": {"mbufs": 16384},
            "pods": {"cidrs": ["10.244.1.0/24"]}, "host": {"interface": "podlane0"}}


def probe(target, count, pause):
    """Pings `target` after random pauses around `pause` seconds; prints microseconds as JSON."""
    choose = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        link.settimeout(2)
        took = []
        for number in range(count):
            time.sleep(pause * choose.uniform(0.5, 1.5))
            message = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number) + bytes(32)
            total = sum(struct.unpack("!20H", message))
            total = (total & 0xFFFF) + (total >> 16)
            message = message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]
            started = time.perf_counter_ns()
            link.sendto(message, (target, 0))
            while True:
                answer = link.recv(200)
                if answer[20] == 0 and answer[26:28] == message[6:8]:
                    break
            took.append((time.perf_counter_ns() - started) / 1e3)
    print(json.dumps(took))


def used(node):
    """CPU seconds of the worker, and of all threads."""
    worker = node.stats()["workers"][0]["tid"]
    threads = os.listdir(f"/proc/{node.pid}/task")
    return cpu_ns(node.pid, worker) / 1e9, sum(cpu_ns(node.pid, t) for t in threads) / 1e9


def wait_for_quiet(node):
    """Waits until no packet has come for a second: new interfaces look for routers at first."""
    last, end = None, time.monotonic() + 40
    while (now := node.stats()["workers"][0]["rxPackets"]) != last:
        check(time.monotonic() < end, "the pods do not become quiet")
        last = now
        time.sleep(1)


def measure(idle, spaces, probes, seconds):
    """Percents of a core at rest (worker, all threads), and microseconds of each probe."""
    with Live(node_config(idle), "/run/lab") as node:
        for number, space in enumerate(spaces):
            node.rpc.call("pod.add", pod=f"default/p{number}", netns=space.path,
                          addresses=[f"10.244.1.{number + 2}"])
        wait_for_quiet(node)
        before, started = used(node), time.perf_counter()
        time.sleep(seconds)
        after, ended = used(node), time.perf_counter()
        rest = [(b - a) / (ended - started) * 100 for a, b in zip(before, after)]
        done = subprocess.run(
            spaces[0].command([PYTHON, os.path.abspath(__file__), "--probe", "10.244.1.3",
                               str(probes), "0.05"]), capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"probe: {done.stderr[-500:]}")
        check(not any(node.stats()["drops"].values()), "packets were dropped")
    took = sorted(json.loads(done.stdout))
    say(f"  idle: {idle}: worker {rest[0]:.2f} % of a core, all threads {rest[1]:.2f} %; "
        f"ping {statistics.median(took):.1f} us, 99 % {took[len(took) * 99 // 100]:.1f} us")
    return rest, took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    parser.add_argument("--probe", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        target, count, pause = options.probe
        probe(target, int(count), float(pause))
        return
    try:
        isolate()
    except Unavailable as reason:
        say(f"skipped: {reason}")
        sys.exit(77)
    pods, probes, seconds, rounds = (4, 5, 0.5, 1) if options.quick else (100, 200, 10, 3)
    spaces = [Namespace(f"p{number}") for number in range(pods)]
    rest, took = [], {"poll": [], "adaptive": []}
    for _ in range(rounds):
        for idle in took:
            now = measure(idle, spaces, probes, seconds)
            took[idle].append(now[1])
            if idle == "adaptive":
                rest.append(now[0])
    table = Table()
    medians = {idle: statistics.median(sum(each, [])) for idle, each in took.items()}
    tails = {idle: sorted(sum(each, []))[len(sum(each, [])) * 99 // 100]
             for idle, each in took.items()}
    table.add(f"{pods} quiet pods, adaptive: worker", statistics.median(r[0] for r in rest), "%")
    table.add(f"{pods} quiet pods, adaptive: all threads of podlaned",
              statistics.median(r[1] for r in rest), "%", 3)
    for idle, median in medians.items():
        table.add(f"first ping after a pause, {idle}: median", median, "us")
        table.add(f"first ping after a pause, {idle}: 99 %", tails[idle], "us")
    table.add("first ping, adaptive less poll: medians", medians["adaptive"] - medians["poll"],
              "us", 100)
    table.show()
    table.save(options.json)


if __name__ == "__main__":
    main()
