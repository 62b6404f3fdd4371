#!/usr/bin/python3
"""The cost of observing: podlaned without and with observers, in turns on one CPU.

The whole daemon forwards UDP to a ClusterIP, 65,536 flows, from a capture file to net_null, as in
bench/run.py. The observers: metrics scraped each second with the flow log on; a trace, and a
capture, of one of the flows; and counts of packets and bytes for each connection. A figure is ns of
the worker's CPU time per packet; the share is what remains of the throughput of the same run
without observers. `--quick` only checks that it works.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import urllib.request

from live import BUILD
from macro import catalogue, frames, machine, nodes, scenarios, world
from macro.frames import UDP
from macro.traffic import infinite
from table import check, say

# How a row is observed, and the least share of the throughput that must remain.
LEAST = {"metrics each second, flow log": 0.95, "trace of one flow": 0.90,
         "capture of one flow": 0.90, "flows.counters": None}


class Scraper:
    """Requests /metrics once a second, as long as the block runs."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.bytes = 0

    def _run(self):
        while not self._end.wait(1 if self.bytes else 0):
            with urllib.request.urlopen(self._url, timeout=10) as answer:
                self.bytes = len(answer.read())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        check(self.bytes > 1000, "no metrics came")


@contextlib.contextmanager
def looking(daemon, command, one_flow):
    """podlanectl capture or trace of a flow, as long as the block runs; it must see packets."""
    words = [BUILD / "podlanectl", "--socket", daemon.socket, command, "--rate", "0", one_flow]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        first = process.stderr.readline()
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        try:
            yield
        finally:
            process.terminate()
            said = process.stderr.read().decode()
            reader.join()
    check(first in (b"capturing at in,out\n", b"tracing\n"), first + said.encode())
    check(int(said.split()[0]) > 0, f"{command} saw no packet: {said}")


class Bench:
    """The daemons, one for each configuration; only one runs at a time."""

    def __init__(self, folder, flows, stack):
        self._stack = stack
        self._folder = folder
        self._build = str(BUILD)
        scenario = scenarios.clusterip(4, UDP)
        first = nodes.Workshop(folder, self._build)
        self.traffic = catalogue.traffic(first, scenario, flows)
        self.source = first.path("frames.pcap")
        frames.write_pcap(self.source, self.traffic.frames)
        self._huge = stack.enter_context(machine.hugepages(3 * nodes.memory_of(flows)))

    def start(self, name, **more):
        folder = os.path.join(self._folder, name)
        os.mkdir(folder)
        shop = nodes.Workshop(folder, self._build)
        daemon = self._stack.enter_context(nodes.running(
            shop, self.traffic, infinite(self.source), world.silent("net_null9"),
            hugepages=self._huge, more=more))
        daemon.pause()
        return daemon


def one_flow_of(traffic):
    """A pcap filter that matches one of the flows, before and after translation."""
    flow = traffic.sent[0:1]
    source = ".".join(str(byte) for byte in flow.src[0])
    return f"udp and src host {source} and src port {int(flow.sport[0])}"


def window(daemon, seconds):
    daemon.resume()
    daemon.window(seconds / 5)  # warms up the caches
    found = daemon.window(seconds)[0]
    daemon.pause()
    return found


def drops_of(daemon):
    daemon.resume()
    found = daemon.drops()
    daemon.pause()
    return found


def measure(bench, runs, seconds):
    port = 19967
    plain = bench.start("plain", metrics={"listen": "off"})
    watched = bench.start("watched", metrics={"listen": f"127.0.0.1:{port}"},
                          flowLog={"file": os.path.join(plain.folder, "flows.json")})
    counting = bench.start("counting", metrics={"listen": "off"}, flows={"counters": "on"})
    one_flow = one_flow_of(bench.traffic)
    lost = [drops_of(daemon) for daemon in (plain, watched, counting)]
    found = {"nothing": [], **{name: [] for name in LEAST}}
    for _ in range(runs):
        found["nothing"].append(window(plain, seconds))
        watched.resume()
        with Scraper(port):
            found["metrics each second, flow log"].append(window(watched, seconds))
            watched.resume()
        watched.pause()
        for command in ("trace", "capture"):
            plain.resume()
            with looking(plain, command, one_flow):
                found[f"{command} of one flow"].append(window(plain, seconds))
                plain.resume()
            plain.pause()
        found["flows.counters"].append(window(counting, seconds))
    for daemon, before in zip((plain, watched, counting), lost):
        check(drops_of(daemon) == before, f"packets were lost: {before}, then {drops_of(daemon)}")
    return found


def show(found):
    """The table; False: a share is missed."""
    # Pairs of one round: clocks and caches of a shared machine drift.
    def share(name):
        return statistics.median(base / value
                                 for base, value in zip(found["nothing"], found[name]))
    reached = True
    print("| somebody looks at | ns a packet | throughput left | at least | |")
    print("|---|---|---|---|---|")
    for name, values in found.items():
        least = LEAST.get(name)
        is_reached = least is None or share(name) >= least
        reached = reached and is_reached
        print(f"| {name} | {statistics.median(values):.1f} | {100 * share(name):.1f} % | "
              f"{'' if least is None else f'{100 * least:.0f} %'} | "
              f"{'' if least is None else 'reached' if is_reached else 'MISSED'} |", flush=True)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="rounds of all rows (default 7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one (default 1)")
    parser.add_argument("--flows", type=int, default=65536)
    parser.add_argument("--json", type=pathlib.Path, help="write every figure there")
    parser.add_argument("--quick", action="store_true", help="one short round of few flows")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.seconds, options.flows = 1, 0.3, 4096
    say(machine.describe())
    with tempfile.TemporaryDirectory(prefix="podlane-watching-") as folder, \
            contextlib.ExitStack() as stack:
        found = measure(Bench(folder, options.flows, stack), options.runs, options.seconds)
    if options.json:
        options.json.write_text(json.dumps(found), encoding="utf-8")
    if not show(found) and not options.quick:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
