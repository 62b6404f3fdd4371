// Tables and lists of what the node says.

import { duration, el, rate, whole } from "./text.js";

/** `columns`: [title, cell(row)]; a cell's text, or a node. */
export function table(caption, columns, rows) {
  const head = el("tr", {}, ...columns.map(([title]) => el("th", { scope: "col" }, title)));
  const body = rows.map((row) =>
    el("tr", {}, ...columns.map(([, cell]) => el("td", {}, cell(row) ?? ""))),
  );
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...body)),
  );
}

/** A list of facts: [word, text or node]; those without a text are left out. */
export function facts(pairs) {
  const parts = pairs
    .filter(([, text]) => text !== undefined && text !== "")
    .flatMap(([word, text]) => [el("dt", {}, word), el("dd", {}, text)]);
  return el("dl", {}, ...parts);
}

export function flowsTable(flows) {
  const count = flows.items.length;
  const all = flows.next || flows.total > count ? `the first ${count}` : `${count}`;
  return table(
    `Connections: ${all}`,
    [
      ["PROTO", (flow) => flow.protocol],
      ["FROM", (flow) => flow.from],
      ["TO", (flow) => flow.to],
      ["TRANSLATED TO", (flow) => (flow.translatedTo === flow.to ? "" : flow.translatedTo)],
      ["STATE", (flow) => flow.state],
      ["IDLE", (flow) => duration(flow.idleSeconds)],
      ["SERVICE", (flow) => flow.service],
      ["WAY", (flow) => `${flow.inPort} → ${flow.outPort}`],
    ],
    flows.items,
  );
}

export function frontendsTable(frontends) {
  const ends = (list) =>
    list.slice(0, 20).join(" ") + (list.length > 20 ? ` and ${list.length - 20} more` : "");
  return table(
    "Served at",
    [
      ["KIND", (one) => one.kind],
      ["ADDRESS", (one) => one.address],
      ["PORT", (one) => `${one.port}/${one.protocol}`],
      ["FROM INSIDE", (one) => ends(one.inside)],
      ["FROM OUTSIDE", (one) => ends(one.outside)],
      ["EMPTY", (one) => one.whenEmpty],
    ],
    frontends,
  );
}

/** Each reason for which packets were dropped, and what it means. */
export function dropsTable(store) {
  const { drops } = store.stats;
  const reasons = store.node.way
    .flatMap((stage) => stage.reasons.map((one) => ({ ...one, stage: stage.stage })))
    .filter(({ reason }) => drops[reason] > 0)
    .sort((one, other) => drops[other.reason] - drops[one.reason]);
  return table(
    "Drops",
    [
      ["REASON", (one) => one.reason],
      ["PACKETS", (one) => whole(drops[one.reason])],
      ["NOW", (one) => (store.drops.get(one.reason) > 0 ? rate(store.drops.get(one.reason)) : "")],
      ["STAGE", (one) => one.stage],
      ["MEANS", (one) => one.help],
    ],
    reasons,
  );
}
