// The packet's way: a card for each stage, with its counts, and what was dropped there and why.

import { el, rate, whole } from "./text.js";

export class Way {
  constructor(host) {
    this.host = host;
    this.stages = null;
  }

  update(store) {
    const { way } = store.node;
    if (this.stages?.length !== way.length) this.#build(way);
    way.forEach((stage, i) => {
      const part = this.stages[i];
      stage.counts.forEach(({ where, grows: counts }, j) => {
        const value = store.countOf(where);
        const grows = counts ? store.rateOf(where) : undefined;
        part.counts[j].textContent = value === undefined ? "-" : whole(value);
        part.rates[j].textContent = grows === undefined ? "" : rate(grows);
      });
      this.#drops(part, stage.reasons, store);
    });
  }

  #build(way) {
    this.stages = way.map((stage) => {
      const counts = stage.counts.map(() => el("td", { class: "number" }));
      const rates = stage.counts.map(() => el("td", { class: "number" }));
      const rows = stage.counts.map(({ what }, i) =>
        el("tr", {}, el("th", { scope: "row" }, what), counts[i], rates[i]),
      );
      const drops = el("ul", { class: "drops" });
      const node = el(
        "li",
        {},
        el("h3", {}, stage.stage),
        el("p", {}, stage.does),
        el("table", { "aria-label": `counts of ${stage.stage}` }, el("tbody", {}, ...rows)),
        drops,
      );
      return { node, counts, rates, drops, shown: "" };
    });
    this.host.replaceChildren(...this.stages.map((part) => part.node));
  }

  /** Reasons that have a count; what each means is told by dropsTable(). */
  #drops(part, reasons, store) {
    const there = reasons.filter(({ reason }) => store.stats.drops[reason] > 0);
    const text = ({ reason }) => {
      const grows = store.drops.get(reason) ?? 0;
      return `${whole(store.stats.drops[reason])}${grows > 0 ? `, ${rate(grows)}` : ""}`;
    };
    const shown = there.map((one) => one.reason + text(one)).join();
    if (shown === part.shown) return;
    part.shown = shown;
    part.drops.replaceChildren(
      ...there.map((one) =>
        el(
          "li",
          { class: store.drops.get(one.reason) > 0 ? "now" : null, title: one.help },
          el("b", {}, one.reason),
          ` ${text(one)}`,
        ),
      ),
    );
  }
}
