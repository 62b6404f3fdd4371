"""The output of a benchmark: progress, checks, and a table of results and targets."""

import json
import sys

from macro.machine import describe


def say(text):
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def check(condition, text):
    """Ends the benchmark if the output is wrong: a fast wrong answer counts for nothing."""
    if not condition:
        raise SystemExit(f"wrong: {text}")


class Table:
    """Rows of a name, a value, and its maximum."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, most=None, **more):
        self.rows.append({"name": name, "value": value, "unit": unit, "target": most,
                          "reached": None if most is None else value <= most, **more})
        say(f"  {name}: {value:.4g} {unit}")

    def show(self):
        width = max(len(row["name"]) for row in self.rows)
        print(f"| {'what':{width}} | {'value':>10} | unit | {'at most':>8} | reached |")
        print(f"|{'-' * (width + 2)}|{'-' * 11}:|------|{'-' * 9}:|---------|")
        for row in self.rows:
            target = "" if row["target"] is None else f"{row['target']:g}"
            reached = {None: "", True: "yes", False: "NO"}[row["reached"]]
            print(f"| {row['name']:{width}} | {row['value']:10.4g} | {row['unit']:4} "
                  f"| {target:>8} | {reached:7} |", flush=True)

    def save(self, path):
        """Writes rows and machine as JSON; nothing without a path."""
        if path:
            text = json.dumps({"machine": describe(), "rows": self.rows}, indent=1) + "\n"
            path.write_text(text, encoding="utf-8")

