#!/usr/bin/python3
"""Big clusters: the time of the whole set of objects, of a single change, and of a change each
millisecond while traffic flows.

The real daemon, one worker that polls, and its config socket without podlanectl in between. A time
is from the first byte sent to the whole reply, which comes when every worker uses the generation.
`--quick` is a small cluster that only checks the results; its times mean nothing.
"""

import argparse
import pathlib
import random
import statistics
import tempfile
import time

import big_cluster
from live import Live, request
from macro.machine import cpu_ns
from table import Table, check, say

MIB = 1 << 20


def frontends_of(node, index):
    """The number of endpoints of a Service's only frontend."""
    (frontend,) = node.rpc.call("get", kind="frontends",
                                name=f"default/{big_cluster.service_name(index)}")["items"]
    return frontend["inside"]


def expect_cluster(node, services, per_service):
    """Checks that the daemon serves what the documents say."""
    for index in {0, services // 2, services - 1}:
        addresses = [endpoint["addresses"][0]
                     for endpoint in big_cluster.endpoint_slice(index, per_service)["endpoints"]]
        check(sorted(frontends_of(node, index)) == sorted(f"{a}:8080" for a in addresses),
              f"endpoints of Service {index}")
    items = node.rpc.call("get", kind="frontends")["items"]
    check(len(items) == services, f"{len(items)} frontends of {services} Services")
    endpoints = sum(len(item["inside"]) for item in items)
    check(endpoints == services * per_service, f"{endpoints} endpoints")


def change(index, per_service, number):
    """An apply of Service `index`'s slice, with another last endpoint for each number."""
    slice_ = big_cluster.endpoint_slice(index, per_service, moved=number)
    return request("apply", documents=big_cluster.text_of(slice_))


def time_changes(node, services, per_service, count, seed=1):
    """Milliseconds of each of `count` changes, made one at a time and checked afterwards."""
    choose = random.Random(seed)
    took = []
    for number in range(count):
        index = choose.randrange(services)
        message = change(index, per_service, seed << 16 | number)
        seconds, result = node.rpc.time(message)
        check(len(result["changed"]) == 1 and not result["added"], f"a change that says {result}")
        took.append(seconds * 1e3)
        if number % 100 == 0:
            wanted = big_cluster.endpoint_slice(index, per_service, moved=seed << 16 | number)
            address = wanted["endpoints"][-1]["addresses"][0]
            check(f"{address}:8080" in frontends_of(node, index), f"no {address} after its change")
    return took


def load(table, services, per_service, changes, repeat, targets):
    """Times `replace` with the whole cluster, then single changes; returns their median in ms."""
    name = f"{services:,} x {per_service}"
    say(f"{name}: making the documents")
    text = big_cluster.cluster(services, per_service)
    message = request("replace", documents=text)
    took, peaks, residents = [], [], []
    with_changes = []
    for turn in range(repeat):
        with tempfile.TemporaryDirectory() as folder, \
                Live(big_cluster.node_config(), folder) as node:
            before = node.memory()[0]
            seconds, result = node.rpc.time(message)
            check(len(result["added"]) == 2 * services + 1, "objects added")
            resident, peak = node.memory()
            took.append(seconds)
            peaks.append(peak)
            residents.append(resident)
            say(f"  replace: {seconds:.3f} s, RSS {before / MIB:.0f} MiB before, "
                f"{peak / MIB:.0f} at most, {resident / MIB:.0f} after")
            if turn == 0:
                expect_cluster(node, services, per_service)
            with_changes += time_changes(node, services, per_service, changes, seed=turn + 1)
            again, result = node.rpc.time(message)
            say(f"  the same again: {again:.3f} s, {result['unchanged']} unchanged")
    with_changes.sort()
    table.add(f"{name}: replace by one JSON document of {len(text) / MIB:.0f} MiB, median",
              statistics.median(took), "s", targets.get("seconds"), all=took)
    table.add(f"{name}: RSS at most", max(peaks) / 1e6, "MB", targets.get("megabytes"))
    table.add(f"{name}: RSS afterwards", max(residents) / 1e6, "MB")
    median = statistics.median(with_changes)
    table.add(f"{name}: one endpoint changed, median of {len(with_changes)}", median, "ms",
              targets.get("change"))
    table.add(f"{name}: one endpoint changed, 99 %",
              with_changes[len(with_changes) * 99 // 100], "ms")
    return median


class Meter:
    """Counts packets and worker CPU time since the last reading."""

    def __init__(self, node):
        self.node = node
        self.worker = node.stats()["workers"][0]["tid"]
        self.last = self.look()

    def look(self):
        packets = self.node.stats()["workers"][0]["rxPackets"]
        return packets, cpu_ns(self.node.pid, self.worker), time.perf_counter()

    def since(self):
        """Packets, ns of CPU a packet, and millions of packets a second."""
        now = self.look()
        packets, cpu, wall = (b - a for a, b in zip(self.last, now))
        self.last = now
        return packets, cpu / packets, packets / wall / 1e6


def change_for(node, services, per_service, seconds, rate, seed):
    """Makes `rate` changes a second, evenly; returns their number, and the milliseconds of each."""
    choose = random.Random(seed)
    started = time.perf_counter()
    took = []
    for number in range(int(seconds * rate)):
        message = change(choose.randrange(services), per_service, seed << 16 | number)
        late = time.perf_counter() - started - number / rate
        if late < 0:
            time.sleep(-late)
        took.append(node.rpc.time(message)[0] * 1e3)
    return time.perf_counter() - started, took


def lost(stats, before):
    """Packets that came in since `before` and did not leave, and drops by reason."""

    def moved(count):
        return sum(port[count] for port in stats["ports"]) - sum(
            port[count] for port in before["ports"])

    drops = {reason: count - before["drops"][reason] for reason, count in stats["drops"].items()
             if count > before["drops"][reason]}
    return moved("rxPackets") - moved("txPackets"), drops


def churn(table, services, per_service, flows, rounds, seconds, rate):
    """Intervals with and without changes, alternating, at full rate."""
    with tempfile.TemporaryDirectory() as folder:
        frames = pathlib.Path(folder) / "frames.pcap"
        frames.write_bytes(big_cluster.frames(services, flows))
        with Live(big_cluster.node_config(big_cluster.endless(frames)), folder) as node:
            node.rpc.call("replace", documents=big_cluster.cluster(services, per_service))
            time.sleep(1)
            before = node.stats()
            meter = Meter(node)
            quiet, busy, done, took, lasted = [], [], 0, [], 0.0
            for turn in range(rounds):
                time.sleep(seconds)
                quiet.append(meter.since())
                spent, times = change_for(node, services, per_service, seconds, rate, turn + 1)
                busy.append(meter.since())
                done += len(times)
                took += times
                lasted += spent
                say(f"  round {turn + 1} of {rounds}: {quiet[-1][1]:.1f} ns a packet, "
                    f"{busy[-1][1]:.1f} with changes; {quiet[-1][2]:.2f} M a second, "
                    f"{busy[-1][2]:.2f}")
            stats = node.stats()
    missing, drops = lost(stats, before)
    name = f"{services:,} x {per_service}, {flows:,} flows"
    took.sort()
    ratios = [b[1] / q[1] for q, b in zip(quiet, busy)]
    rates = [q[2] / b[2] for q, b in zip(quiet, busy)]
    table.add(f"{name}: changes a second, for {lasted:.0f} s", done / lasted, "/s")
    table.add(f"{name}: a change then, median", took[len(took) // 2], "ms")
    table.add(f"{name}: a change then, 99 %", took[len(took) * 99 // 100], "ms")
    table.add(f"{name}: CPU a packet without changes",
              statistics.median(q[1] for q in quiet), "ns")
    table.add(f"{name}: CPU a packet, with changes / without",
              statistics.median(ratios), "", 1.03, all=ratios)
    table.add(f"{name}: packets a second, without / with changes",
              statistics.median(rates), "", 1.03, all=rates)
    table.add(f"{name}: packets dropped, of {sum(b[0] for b in busy) / 1e6:.0f} M",
              sum(drops.values()), "", 0)
    # A burst can be in flight between the two counters while they are read.
    check(not drops, f"dropped: {drops}")
    check(abs(missing) <= 4096, f"{missing} packets came in and did not go out")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=["load", "churn"])
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    table = Table()
    if options.only != "churn":
        if options.quick:
            load(table, 500, 10, 20, 1, {})
        else:
            small = load(table, 10, 10, 500, 3, {})
            big = load(table, 10_000, 10, 500, 5, {"seconds": 1.0, "change": 1.0})
            huge = load(table, 10_000, 100, 200, 3,
                        {"seconds": 8.0, "megabytes": 2000, "change": 1.0})
            table.add("one endpoint changed, 10,000 x 10 / 10 x 10", big / small, "", 2.0)
            table.add("one endpoint changed, 10,000 x 100 / 10 x 10", huge / small, "")
    if options.only != "load":
        if options.quick:
            churn(table, 500, 10, 1000, 1, 1, 200)
        else:
            churn(table, 10_000, 10, 4096, 12, 5, 1000)
    table.show()
    table.save(options.json)


if __name__ == "__main__":
    main()
