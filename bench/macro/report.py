"""The table, and the judgement on each row."""

COLUMNS = ("scenario", "flows", "io ns", "podlane ns", "(spread)", "x io", "must", "aim", "verdict")


def judge(row, targets):
    """Adds the multiple of io, and what was asked for."""
    row["ratio"] = row["podlane"]["median"] / row["io"]["median"]
    if targets:
        row["must"], row["aim"] = targets
        row["verdict"] = ("aim" if row["ratio"] <= row["aim"] else
                          "must" if row["ratio"] <= row["must"] else "missed")


def _cells(row):
    if "error" in row:
        return [row["scenario"], f"{row['flows']:,}", "", "", "", "", "", "", "FAILED"]
    ours = row["podlane"]
    return [row["scenario"], f"{row['flows']:,}", f"{row['io']['median']:.1f}",
            f"{ours['median']:.1f}", f"({ours['min']:.1f}-{ours['max']:.1f})",
            f"{row['ratio']:.2f}", f"{row['must']}" if "must" in row else "",
            f"{row['aim']}" if "aim" in row else "", row.get("verdict", "")]


def line(row):
    cells = dict(zip(COLUMNS, _cells(row)))
    return (f"io {cells['io ns']} ns, podlane {cells['podlane ns']} {cells['(spread)']} ns, "
            f"{cells['x io']} x io {cells['verdict']}")


def table(result):
    rows = [COLUMNS] + [_cells(row) for row in result["rows"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))) for row in rows)
