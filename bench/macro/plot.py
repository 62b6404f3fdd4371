"""The plot: for each scenario the cost of source and sink, what podlaned adds, and the target."""

from xml.sax.saxutils import escape

LEFT, WIDTH, BAR, GAP, TOP, BOTTOM = 210, 560, 13, 5, 56, 40
IO, OWN, MUST = "#b8b8b8", "#2f6db5", "#c0392b"


def _tick_step(most):
    for step in (5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000):
        if most / step <= 10:
            return step
    return 5000


def _text(x, y, words, *, anchor="start", size=11, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def _box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>'


def _bars(row, y, scale):
    io, own = row["io"]["median"], row["podlane"]["median"]
    yield _text(LEFT - 8, y + BAR - 2, f"{row['scenario']}, {row['flows']:,}", anchor="end")
    yield _box(LEFT, y, min(io, own) * scale, BAR, IO)
    yield _box(LEFT + io * scale, y, max(0, own - io) * scale, BAR, OWN)
    if isinstance(row.get("must"), float | int):
        x = LEFT + row["must"] * io * scale
        yield _box(x - 1, y - 2, 2, BAR + 4, MUST)
    label = f"{own:.0f} ns, {row['ratio']:.1f} x"
    x = LEFT + own * scale + 4
    if "ovs" in row:
        label += f" (OVS {row['ovs']['median']:.0f} ns)"
    yield _text(x + 4, y + BAR - 2, label, size=10)


def _legend():
    x = LEFT
    for colour, words in ((IO, "source and sink (testpmd io)"), (OWN, "podlaned's own"),
                          (MUST, "must")):
        yield _box(x, 32, 12, 10, colour)
        yield _text(x + 17, 41, words)
        x += 40 + 6.4 * len(words)


def svg(result):
    """An SVG document of the rows with times.

    New connections and full tables are left out: they would dwarf the others.
    """
    rows = [row for row in result["rows"] if "ratio" in row and row["ratio"] < 15]
    most = max((row["podlane"]["median"] for row in rows), default=1)
    step = _tick_step(most)
    scale = WIDTH / (most * 1.02)
    height = TOP + len(rows) * (BAR + GAP) + BOTTOM
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 130}" '
           f'height="{height}" font-family="sans-serif" fill="#222">',
           '<rect width="100%" height="100%" fill="white"/>',
           _text(LEFT, 20, "CPU time of one worker for each packet, ns", size=14, weight="bold"),
           *_legend()]
    bottom = TOP + len(rows) * (BAR + GAP)
    for value in range(0, int(most) + 1, step):
        x = LEFT + value * scale
        out.append(f'<line x1="{x:.1f}" y1="{TOP - 4}" x2="{x:.1f}" y2="{bottom}" '
                   'stroke="#e4e4e4"/>')
        out.append(_text(x, bottom + 14, str(value), anchor="middle", size=10))
    for number, row in enumerate(rows):
        out += _bars(row, TOP + number * (BAR + GAP), scale)
    return "\n".join([*out, "</svg>", ""])
