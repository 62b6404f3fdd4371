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
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from macro import machine, report, run_scenario, scenarios  # noqa: E402
from macro.programs import Failed  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(ROOT, "build")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=BUILD, help="folder with podlaned")
    parser.add_argument("--work", help="folder for traffic and logs; default BUILD/bench-run")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="scenarios whose NAME/FLOWS matches, such as 'clusterip-udp4/4096'")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one (default 1)")
    parser.add_argument("--quick", action="store_true", help="3 runs of 0.5 s, up to 65,536 flows")
    parser.add_argument("--no-check", action="store_true", help="do not check the output first")
    parser.add_argument("--check-only", type=int, metavar="FLOWS",
                        help="check the output with so many flows at most; no times")
    parser.add_argument("--json", help="write the result there; default WORK/result.json")
    options = parser.parse_args()
    options.work = options.work or os.path.join(options.build, "bench-run")
    if options.quick:
        options.runs, options.seconds = 3, 0.5
    return options


def chosen(options):
    """(scenario, number of flows) of all that is to run."""
    out = []
    for scenario in scenarios.all_scenarios():
        for count in scenario.counts:
            if options.quick and count > 65536:
                continue
            if re.search(options.only, f"{scenario.key}/{count}"):
                out.append((scenario, count))
    return out


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    options = arguments()
    todo = chosen(options)
    if options.list:
        for scenario, count in todo:
            print(f"{scenario.key}/{count}")
        return 0
    if not todo:
        print(f"run.py: --only {options.only}: no such scenario; see --list", file=sys.stderr)
        return 2
    shop = run_scenario.Workshop(options.work, options.build)
    rows, failed = [], 0
    started = time.monotonic()
    for number, (scenario, count) in enumerate(todo, 1):
        name = f"{scenario.key}/{count}"
        say(f"[{number}/{len(todo)}, {time.monotonic() - started:.0f} s] {name}")
        row = {"scenario": scenario.key, "title": scenario.title, "family": scenario.family,
               "flows": count}
        try:
            if not options.no_check:
                run_scenario.check(shop, scenario, min(count, options.check_only or 65536))
            if not options.check_only:
                found, facts = run_scenario.measure(
                    shop, scenario, count, runs=options.runs, seconds=options.seconds)
                row |= facts | {k: run_scenario.summary(v) for k, v in found.items()}
                report.judge(row, scenario.targets.get(count))
                say("    " + report.line(row))
        except (Failed, scenarios.Wrong) as error:
            failed += 1
            row["error"] = str(error)
            say(f"    FAILED: {error}")
        rows.append(row)
    result = {"machine": machine.describe(), "runs": options.runs, "seconds": options.seconds,
              "rows": rows}
    path = options.json or os.path.join(options.work, "result.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    if not options.check_only:
        print(report.table(result))
    print(f"{len(todo) - failed} of {len(todo)} scenarios right; {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
