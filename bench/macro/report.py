"""The tables, in a terminal and in Markdown, and the verdict on each row."""

import json
import os

from . import plot

COLUMNS = ("scenario", "flows", "io ns", "podlane ns", "(spread)", "x io", "must", "aim",
           "verdict")
OVS_COLUMNS = ("ovs ns", "ovs x io")
TARGET_COLUMNS = ("target", "flows", "reached", "(spread)", "must", "verdict")
V6_MUST, V6_AIM = 1.3, 1.15


def judge(row, targets):
    """Adds the multiple of io, and the target."""
    row["ratio"] = row["podlane"]["median"] / row["io"]["median"]
    if targets:
        row["must"], row["aim"] = (round(target, 2) for target in targets)
        row["verdict"] = ("aim" if row["ratio"] <= row["aim"] else
                          "must" if row["ratio"] <= row["must"] else "missed")


def judge_v6(rows):
    """An IPv6 row may take this many times the ns of the same scenario with IPv4."""
    v4 = {(row["scenario"], row["flows"]): row["podlane"]["median"] for row in rows
          if row.get("family") == 4 and "ratio" in row}
    for row in rows:
        if row.get("family") != 6 or "ratio" not in row:
            continue
        base = v4.get((row["scenario"].removesuffix("-v6"), row["flows"]))
        if base:
            io = row["io"]["median"]
            judge(row, (V6_MUST * base / io, V6_AIM * base / io))


def verdict_of(row):
    value = row["reached"]["median"]
    return "must" if (value <= row["must"]) == row["most"] or value == row["must"] else "missed"


def _spread(values, digits):
    return f"({values['min']:.{digits}f}-{values['max']:.{digits}f})"


def _cells(row, with_ovs):
    if "error" in row:
        return [row["scenario"], f"{row['flows']:,}", "", "", "", "", "", "", "FAILED"] + \
            [""] * len(OVS_COLUMNS) * with_ovs
    ours = row["podlane"]
    cells = [row["scenario"], f"{row['flows']:,}", f"{row['io']['median']:.1f}",
             f"{ours['median']:.1f}", _spread(ours, 1), f"{row['ratio']:.2f}",
             f"{row.get('must', '')}", f"{row.get('aim', '')}", row.get("verdict", "")]
    if with_ovs:
        ovs = row.get("ovs")
        cells += [f"{ovs['median']:.0f}", f"{ovs['median'] / row['io']['median']:.1f}"] if ovs \
            else ["", ""]
    return cells


def _target_cells(row):
    if "error" in row:
        return [row["title"], f"{row['flows']:,}", "", "", "", "FAILED"]
    digits = 0 if row["unit"] == "bytes" else 2
    return [row["title"], f"{row['flows']:,}",
            f"{row['reached']['median']:.{digits}f} {row['unit']}",
            _spread(row["reached"], digits),
            f"{'<=' if row['most'] else '>='} {row['must']}", row["verdict"]]


def line(row):
    cells = dict(zip(COLUMNS, _cells(row, False)))
    text = (f"io {cells['io ns']} ns, podlane {cells['podlane ns']} {cells['(spread)']} ns, "
            f"{cells['x io']} x io")
    if "ovs" in row:
        text += f", OVS {row['ovs']['median']:.0f} ns"
    return f"{text} {cells['verdict']}".rstrip()


def target_line(row):
    return " ".join(_target_cells(row)[2:])


def _tables(result):
    """(columns, rows) of each table that has rows."""
    rows = [row for row in result["rows"] if "target" not in row]
    with_ovs = any("ovs" in row for row in rows)
    if rows:
        yield COLUMNS + OVS_COLUMNS * with_ovs, [_cells(row, with_ovs) for row in rows]
    ceiling = [row for row in rows if "macswap" in row]
    if ceiling:
        yield (("testpmd, ns", "flows", "io", "macswap", "5tswap"),
               [[row["scenario"], f"{row['flows']:,}"] +
                [f"{row[mode]['median']:.1f}" for mode in ("io", "macswap", "5tswap")]
                for row in ceiling])
    targets = [_target_cells(row) for row in result["rows"] if "target" in row]
    if targets:
        yield TARGET_COLUMNS, targets


def text(result):
    """The tables for a terminal."""
    out = []
    for columns, rows in _tables(result):
        widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
        out += ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                          for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                for row in [columns, *rows]] + [""]
    return "\n".join(out)


def machine_line(result):
    machine = result["machine"]
    return (f"{machine['cpus']} CPUs of {machine['cpu']}, {machine['memoryGiB']} GiB, Linux "
            f"{machine['kernel']}, DPDK {machine['dpdk']}, commit {machine['commit']}, "
            f"{machine['date']} UTC; medians of {result['runs']} runs of {result['seconds']} s")


def markdown(result):
    out = [f"`make bench{result['arguments']}`: {machine_line(result)}.", ""]
    for columns, rows in _tables(result):
        out += ["| " + " | ".join(columns) + " |",
                "|---" + "|---:" * (len(columns) - 1) + "|",
                *("| " + " | ".join(row) + " |" for row in rows), ""]
    return "\n".join(out)


def publish(result, docs):
    """Writes the tables, the figures behind them and a plot into the documentation."""
    with open(os.path.join(docs, "performance-tables.md"), "w", encoding="utf-8") as file:
        file.write("# What `make bench` measured\n\n"
                   "Made by `make bench ARGS=--publish`; [benchmarking.md](benchmarking.md) says "
                   "how it measures.\n\n![ns a packet by scenario](performance-plot.svg)\n\n"
                   + markdown(result).rstrip() + "\n")
    with open(os.path.join(docs, "performance-tables.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(os.path.join(docs, "performance-plot.svg"), "w", encoding="utf-8") as file:
        file.write(plot.svg(result))
