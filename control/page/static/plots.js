// Plots of the last minutes, by uPlot (vendor/). Colours are the page's own, in light and dark.

import { el, short } from "./text.js";

const HEIGHT = 130;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** "14:02:31" of seconds since 1970. */
function clock(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

export class Plot {
  /** `series`: [word, colour's name, name in the store]; `unit` stands behind numbers. */
  constructor(host, title, series, unit = "/s") {
    this.host = host;
    this.title = title;
    this.series = series;
    this.unit = unit;
    this.plot = null;
    this.figure = el("figure", { class: "plot", role: "group", "aria-label": title });
    this.caption = el("figcaption", {}, title);
    this.body = el("div", { "aria-hidden": "true" });
    this.figure.append(this.caption, this.body);
    host.append(this.figure);
  }

  #options(width) {
    const text = colour("--dim"),
      grid = colour("--line");
    const axis = {
      stroke: text,
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1 },
      font: "11px monospace",
    };
    return {
      width,
      height: HEIGHT,
      cursor: { y: false },
      legend: { show: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [
        { ...axis, space: 80, size: 30, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 56, space: 26, values: (_, ticks) => ticks.map((tick) => short(tick)) },
      ],
      series: [
        {},
        ...this.series.map(([label, name]) => ({
          label,
          stroke: colour(name),
          width: 1.5,
          points: { show: false },
        })),
      ],
    };
  }

  update(store) {
    const data = [
      store.times,
      ...this.series.map(([, , name]) => {
        const list = store.history(name);
        return store.times.map((_, i) => list[i] ?? null);
      }),
    ];
    const width = Math.max(200, Math.floor(this.body.clientWidth));
    if (!this.plot) {
      this.plot = new window.uPlot(this.#options(width), data, this.body);
    } else {
      if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
      this.plot.setData(data);
    }
    const now = this.series.map(([word, , name]) => {
      const value = store.history(name).at(-1);
      return `${word} ${value === undefined || value === null ? "-" : short(value) + this.unit}`;
    });
    this.caption.replaceChildren(
      `${this.title}: `,
      ...now.flatMap((text, i) => [
        el("span", { class: "key", "data-colour": this.series[i][1] }, text),
        " ",
      ]),
    );
  }

  /** After another scheme of colours. */
  restyle() {
    this.plot?.destroy();
    this.plot = null;
  }

  remove() {
    this.plot?.destroy();
    this.figure.remove();
  }
}

/** Those of the whole node. */
export function nodePlots(host) {
  return [
    new Plot(host, "Packets", [
      ["received", "--one", "received"],
      ["sent", "--two", "sent"],
    ]),
    new Plot(
      host,
      "Uplinks",
      [
        ["in", "--one", "uplink in"],
        ["out", "--two", "uplink out"],
      ],
      "bit/s",
    ),
    new Plot(host, "Drops", [["dropped", "--bad", "dropped"]]),
    new Plot(host, "New connections", [["new", "--one", "new"]]),
    new Plot(host, "Connections", [["now", "--two", "active"]], ""),
    new Plot(host, "Busiest worker", [["busy", "--one", "busy"]], "%"),
  ];
}
