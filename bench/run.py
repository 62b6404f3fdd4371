#!/usr/bin/python3
"""Measures podlaned, the whole daemon, against DPDK's testpmd on the same frames.

Figures are ns of the worker's own CPU time for each packet that leaves by the sink; all include the
cost of source and sink. docs/benchmarking.md says how they are taken and how to read them.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# The path must be known first.
from macro import catalogue, jobs, machine, ovs, report  # noqa: E402
from macro.check import check  # noqa: E402
from macro.nodes import Workshop  # noqa: E402
from macro.programs import Failed  # noqa: E402
from macro.scenarios import Wrong  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_QUICK = 65536
BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(ROOT, "build")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=BUILD, help="folder with podlaned")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="scenarios whose NAME/FLOWS matches, such as '^clusterip-udp/4096'")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one (default 1)")
    parser.add_argument("--quick", action="store_true", help="3 runs of 0.5 s, up to 65,536 flows")
    parser.add_argument("--ovs", action="store_true",
                        help="OVS-DPDK as well, for what it can do; installs Debian's package")
    parser.add_argument("--no-check", action="store_true", help="do not check the output first")
    parser.add_argument("--check-only", type=int, metavar="FLOWS",
                        help="check the output with so many flows at most; no times; prints TAP")
    parser.add_argument("--json", help="write the result there; default BUILD/bench.json")
    parser.add_argument("--publish", action="store_true",
                        help="write tables, figures and plot into docs/ as well")
    options = parser.parse_args()
    options.json = options.json or os.path.join(options.build, "bench.json")
    if options.quick:
        options.runs, options.seconds = 3, 0.5
    return options


def chosen(options):
    """The jobs to run."""
    return [job for job in jobs.all_jobs() if re.search(options.only, job.key)
            and not (options.quick and job.flows > MOST_QUICK)]


def say(text):
    print(text, file=sys.stderr, flush=True)


def check_only(shop, options):
    """The short form for a test: only checks the output."""
    distinct = {(scenario.key, min(count, options.check_only)): scenario
                for scenario in catalogue.all_scenarios() for count in scenario.counts
                if re.search(options.only, f"{scenario.key}/{count}")}
    failed = 0
    print(f"1..{len(distinct)}")
    for number, ((key, count), scenario) in enumerate(distinct.items(), 1):
        try:
            check(shop, catalogue.traffic(shop, scenario, count))
            print(f"ok {number} - {key}, {count} flows: what comes out is right", flush=True)
        except (Failed, Wrong) as error:
            failed += 1
            print(f"not ok {number} - {key}, {count} flows: what comes out is right")
            print("\n".join("# " + line for line in str(error).splitlines()), flush=True)
    return 1 if failed else 0


def do(asked_for, shop, options):
    """The rows of all jobs; one that fails does not end the others."""
    rows = []
    started = time.monotonic()
    for number, job in enumerate(asked_for, 1):
        say(f"[{number}/{len(asked_for)}, {time.monotonic() - started:.0f} s] {job.key}")
        try:
            rows.append(job.run(shop, options, say))
        except (Failed, Wrong) as error:
            say(f"    FAILED: {error}")
            name = job.key.split("/")[0]
            rows.append({"scenario": name, "flows": job.flows, "error": str(error)})
    return rows


def main():
    options = arguments()
    asked_for = chosen(options)
    if options.list:
        print("\n".join(job.key for job in asked_for))
        return 0
    if not asked_for:
        print(f"run.py: --only {options.only}: no such scenario; see --list", file=sys.stderr)
        return 2
    if options.ovs:
        subprocess.run([os.path.join(ROOT, "scripts/deps.sh"), "ovs"], check=True)
        if ovs.missing():
            print(f"run.py: --ovs: {ovs.missing()}", file=sys.stderr)
            return 2
    with tempfile.TemporaryDirectory(prefix="podlane-bench-") as folder:
        shop = Workshop(folder, options.build)
        if options.check_only:
            return check_only(shop, options)
        rows = do(asked_for, shop, options)
    report.judge_v6(rows)
    # The build's path does not belong in the results.
    said = re.sub(r"--build[ =]\S+ ?", "", " ".join(map(shlex.quote, sys.argv[1:])))
    result = {"machine": machine.describe(), "runs": options.runs, "seconds": options.seconds,
              "arguments": f' ARGS="{said}"' if said else "", "rows": rows}
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print(report.text(result))
    print(report.machine_line(result))
    if options.publish:
        report.publish(result, os.path.join(ROOT, "docs"))
    failed = sum("error" in row for row in rows)
    print(f"{len(rows) - failed} of {len(rows)} done; {options.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
