#!/usr/bin/python3
"""Measures podlaned, the whole daemon, against DPDK's testpmd on the same frames.

Figures are ns of the worker's own CPU time for each packet that leaves by the sink; source and sink
are contained in all of them. docs/benchmarking.md says how they are taken and how to read them.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from macro import catalogue, machine, report  # noqa: E402  (the path must be known first)
from macro.check import check  # noqa: E402
from macro.measure import measure, summary  # noqa: E402
from macro.nodes import Workshop  # noqa: E402
from macro.programs import Failed  # noqa: E402
from macro.scenarios import Wrong  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(ROOT, "build")
MOST_CHECKED = 65536


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=BUILD, help="folder with podlaned")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="scenarios whose NAME/FLOWS matches, such as '^clusterip-udp/4096'")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one (default 1)")
    parser.add_argument("--quick", action="store_true", help="3 runs of 0.5 s, up to 65,536 flows")
    parser.add_argument("--no-check", action="store_true", help="do not check the output first")
    parser.add_argument("--check-only", type=int, metavar="FLOWS",
                        help="check the output with so many flows at most; no times; prints TAP")
    parser.add_argument("--json", help="write the result there; default BUILD/bench.json")
    options = parser.parse_args()
    options.json = options.json or os.path.join(options.build, "bench.json")
    if options.quick:
        options.runs, options.seconds = 3, 0.5
    return options


def chosen(options):
    """(scenario, number of flows) of all that is to run."""
    out = []
    for scenario in catalogue.all_scenarios():
        for count in scenario.counts:
            if options.quick and count > 65536:
                continue
            if re.search(options.only, f"{scenario.key}/{count}"):
                out.append((scenario, count))
    return out


def say(text):
    print(text, file=sys.stderr, flush=True)


def check_only(shop, todo, most):
    """The short form for a test: is what comes out right?"""
    distinct = {(scenario.key, min(count, most)): scenario for scenario, count in todo}
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


def one(shop, scenario, count, options):
    """The row of one scenario."""
    row = {"scenario": scenario.key, "title": scenario.title, "family": scenario.family,
           "flows": count}
    try:
        if not options.no_check:
            check(shop, catalogue.traffic(shop, scenario, min(count, MOST_CHECKED)))
        found, row["hugepages"] = measure(shop, catalogue.traffic(shop, scenario, count),
                                          runs=options.runs, seconds=options.seconds)
        row |= {name: summary(values) for name, values in found.items()}
        report.judge(row, scenario.targets.get(count))
        say("    " + report.line(row))
    except (Failed, Wrong) as error:
        row["error"] = str(error)
        say(f"    FAILED: {error}")
    return row


def main():
    options = arguments()
    todo = chosen(options)
    if options.list:
        print("\n".join(f"{scenario.key}/{count}" for scenario, count in todo))
        return 0
    if not todo:
        print(f"run.py: --only {options.only}: no such scenario; see --list", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="podlane-bench-") as folder:
        shop = Workshop(folder, options.build)
        if options.check_only:
            return check_only(shop, todo, options.check_only)
        rows = []
        for number, (scenario, count) in enumerate(todo, 1):
            say(f"[{number}/{len(todo)}, {time.monotonic() - started:.0f} s] "
                f"{scenario.key}/{count}")
            rows.append(one(shop, scenario, count, options))
    result = {"machine": machine.describe(), "runs": options.runs, "seconds": options.seconds,
              "rows": rows}
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print(report.table(result))
    failed = sum("error" in row for row in rows)
    print(f"{len(rows) - failed} of {len(rows)} scenarios right; {options.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
