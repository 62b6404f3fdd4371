#!/usr/bin/python3
"""How long packets are in the worker, at 10, 50 and 90 % of its capacity.

The real daemon with a memif pod port; bench/paced_source sends UDP to ClusterIPs by it, and the
forwarded packets leave by net_null. Capacity is what the daemon forwards when the source does not
pace itself. The times are those in `podlanectl stats`: from polling the port to the end of sending,
for every packet, without the wait in the link before that. `--quick` only checks that it works.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

import big_cluster
from live import BUILD, Live
from macro import machine
from table import Table, check, say

SHARES = (0.1, 0.5, 0.9)
QUANTILES = (0.5, 0.99, 0.999)


class Source:
    """bench/paced_source at the other end of the link, on its own CPU."""

    def __init__(self, socket, frames, cpu):
        self._process = subprocess.Popen(
            ["taskset", "-c", str(cpu), BUILD / "bench" / "paced_source", socket, frames],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(self._process.stdout.readline() == "ready\n", "paced_source does not start")

    def pace(self, rate):
        """Sends `rate` packets a second from now on; returns those sent and refused before."""
        self._process.stdin.write(f"{rate}\n")
        self._process.stdin.flush()
        return [int(word) for word in self._process.stdout.readline().split()]

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def look(node):
    """Packets that left, packets that did not, and packets by their longest time in ns."""
    stats = node.stats()
    sent = sum(port["txPackets"] for port in stats["ports"])
    worker = stats["workers"][0]
    return sent, sum(stats["drops"].values()), dict(map(tuple, worker["latency"]["buckets"]))


def quantiles(before, after):
    """The times in ns that these shares of the packets did not exceed between two readings."""
    counts = {ns: after[ns] - before.get(ns, 0) for ns in sorted(after)}
    total = sum(counts.values())
    found, so_far = [], 0
    for ns, count in counts.items():
        so_far += count
        while len(found) < len(QUANTILES) and so_far >= QUANTILES[len(found)] * total:
            found.append(ns)
    return found


def interval(node, source, rate, seconds):
    """Packets a second that left, and the quantiles, while the source sends at `rate`."""
    source.pace(rate)
    time.sleep(0.2)
    source.pace(rate)
    started = time.perf_counter()
    before = look(node)
    time.sleep(seconds)
    after = look(node)
    lasted = time.perf_counter() - started
    _, refused = source.pace(-1)
    check(after[1] == before[1], f"{after[1] - before[1]} packets were dropped")
    check(after[0] > before[0], "nothing was forwarded")
    return (after[0] - before[0]) / lasted, quantiles(before[2], after[2]), refused


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    services, flows, rounds, seconds = (10, 64, 1, 0.3) if options.quick else (64, 4096, 3, 1)
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        frames = pathlib.Path(folder) / "frames.pcap"
        frames.write_bytes(big_cluster.frames(services, flows))
        config = big_cluster.node_config(device=f"net_memif0,role=server,socket={folder}/memif,"
                                         "socket-abstract=no")
        with Live(config, folder) as node:
            node.rpc.call("replace", documents=big_cluster.cluster(services, 10))
            source = Source(f"{folder}/memif", frames, machine.cpus()[0])
            try:
                results = {share: [] for share in SHARES}
                capacities = []
                for turn in range(rounds):
                    capacities.append(interval(node, source, 0, seconds)[0])
                    for share in SHARES:
                        results[share].append(
                            interval(node, source, share * capacities[-1], seconds))
                    say(f"  round {turn + 1} of {rounds}: {capacities[-1] / 1e6:.2f} M a second")
            finally:
                source.close()
    table.add("capacity: UDP to ClusterIPs by memif", statistics.median(capacities) / 1e6, "M/s")
    for share, taken in results.items():
        reached = statistics.median(rate / capacity
                                    for (rate, _, _), capacity in zip(taken, capacities))
        table.add(f"at {share:.0%} of it: offered and forwarded", reached * 100, "%",
                  refused=[each[2] for each in taken])
        for number, quantile in enumerate(QUANTILES):
            table.add(f"at {share:.0%}: {quantile:.1%} of the packets",
                      statistics.median(each[1][number] for each in taken) / 1e3, "us",
                      all=[each[1][number] / 1e3 for each in taken])
    table.show()
    table.save(options.json)


if __name__ == "__main__":
    main()
