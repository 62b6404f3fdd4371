#!/usr/bin/python3
"""Cluster DNS with dnsperf: queries a second and their latency, from a pod on a TAP.

The real daemon with one worker and a thousand Services; dnsperf (Debian) runs in a pod's namespace
and queries random names; half of them exist. Each answer's code is checked: a lost query, or a
wrong number of NXDOMAIN answers, ends the benchmark. dnsperf needs a CPU of its own, and limits the
rows on few cores: `worker busy` says how much of the worker they took. Needs root. `--quick` only
checks that it works.
"""

import argparse
import json
import pathlib
import random
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from lab import objects  # noqa: E402
from lab.isolate import Unavailable, isolate  # noqa: E402
from lab.net import PYTHON, Namespace, Process  # noqa: E402
from live import Live  # noqa: E402
from table import Table, check, say  # noqa: E402

SERVICES = 1000
QUERIES = 20_000
SERVER = "10.96.0.10"
DOMAIN = "svc.cluster.local"
CONFIG = {"node": "node-a", "idle": "poll", "memory": {"mbufs": 16384},
          "pods": {"cidrs": ["10.244.1.0/24"]}, "cluster": {"upstreamDns": ["127.0.0.1"]}}


def inside(choose):
    """The name of a Service in the cluster, or of one that does not exist."""
    number = choose.randrange(SERVICES)
    return f"{choose.choice(('web', 'gone'))}{number}.default.{DOMAIN}"


def outside(choose):
    """A name that upstream knows, or one that it does not; few, so that answers are cached."""
    return f"{choose.choice(('www', 'missing'))}.example.com"


# The names to query, and dnsperf's options for each row; the server's thread handles TCP and its
# cache.
SCENARIOS = [
    ("names of the cluster, 1 client, 1 query at a time", inside, ["-c", "1", "-q", "1"]),
    ("names of the cluster, 1 client, 100 at a time", inside, ["-c", "1", "-q", "100"]),
    ("names of the cluster, 20 clients", inside, ["-c", "20", "-q", "100"]),
    ("names of the cluster by TCP, 20 clients", inside, ["-c", "20", "-q", "100", "-m", "tcp"]),
    ("names outside, from the cache, 20 clients", outside, ["-c", "20", "-q", "100"]),
]


def services():
    return [objects.service(f"web{number}", [f"10.97.{number // 250}.{number % 250 + 1}"],
                            [objects.port(80, 80, name="http")]) for number in range(SERVICES)]


def number_after(words, text):
    return float(re.search(rf"{words}\s+([\d.]+)", text).group(1))


def expected_codes(names, count):
    """How often each code comes when the first `count` names are asked for repeatedly."""
    missing = [name.startswith(("gone", "missing")) for name in names]
    nxdomain = count // len(names) * sum(missing) + sum(missing[:count % len(names)])
    answers = {"NOERROR": count - nxdomain, "NXDOMAIN": nxdomain}
    return {code: times for code, times in answers.items() if times}


def busy(node):
    worker = node.stats()["workers"][0]
    return worker["busyCycles"], worker["busyCycles"] + worker["idleCycles"]


def measure(node, pod, names, options, seconds):
    """Queries a second, microseconds for each, and the busy share of the worker."""
    path = pathlib.Path("/run/lab/queries")
    path.write_text("".join(f"{name} A\n" for name in names), encoding="ascii")
    before = busy(node)
    done = pod.run(["dnsperf", "-s", SERVER, "-d", path, "-l", str(seconds), *options],
                   timeout=seconds + 30)
    after = busy(node)
    out = done.stdout
    check(number_after("Queries lost:", out) == 0, f"queries were lost:\n{out}")
    codes = {code: int(count) for code, count in re.findall(
        r"(\w+) (\d+) \(", re.search(r"Response codes:(.*)", out).group(1))}
    expected = expected_codes(names, sum(codes.values()))
    check(codes == expected, f"response codes {codes}, not {expected}")
    return (number_after("Queries per second:", out),
            number_after(r"Average Latency \(s\):", out) * 1e6,
            (after[0] - before[0]) / max(1, after[1] - before[1]) * 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=10, help="for each row (default 10)")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    if not shutil.which("dnsperf"):
        say("skipped: dnsperf is not installed")
        sys.exit(77)
    try:
        isolate()
    except Unavailable as reason:
        say(f"skipped: {reason}")
        sys.exit(77)
    seconds = 1 if options.quick else options.seconds
    pod = Namespace("client")
    upstream = Process([PYTHON, ROOT / "tests/system/upstream.py", "127.0.0.1", "1"],
                       "/run/lab/upstream.log")
    upstream.wait_for_line(lambda line: line.strip() == "ready", 10, "the upstream server")
    choose = random.Random(53)
    table = Table()
    try:
        with Live(CONFIG, "/run/lab") as node:
            node.rpc.call("pod.add", pod="default/client", netns=pod.path,
                          addresses=["10.244.1.2"])
            node.rpc.call("apply", documents=json.dumps(
                {"apiVersion": "v1", "kind": "List", "items": services()}))
            for what, name, words in SCENARIOS:
                names = [name(choose) for _ in range(QUERIES)]
                rate, microseconds, used = measure(node, pod, names, words, seconds)
                table.add(f"{what}", rate, "1/s")
                table.add(f"{what}: average time", microseconds, "us")
                table.add(f"{what}: worker busy", used, "%")
            check(not any(node.stats()["drops"].values()), "packets were dropped")
    finally:
        upstream.stop()
    table.show()
    table.save(options.json)


if __name__ == "__main__":
    main()
