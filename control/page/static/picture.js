// The node as SVG. The elements stay as long as the same things are there; each answer changes
// words, colours and widths of lines alone, so that focus and eye keep their place.

import { layout } from "./layout.js";
import { el, fit, svg } from "./text.js";
import { kinOf, wordsOf } from "./things.js";

const FONT = 11;

function path(points) {
  return points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");
}

/** The width of a character of the picture's font, in CSS pixels. */
function characterWidth(host) {
  const probe = svg("text", { class: "title" }, "0".repeat(100));
  const picture = svg("svg", { width: 10, height: 10 }, probe);
  host.append(picture);
  const width = probe.getComputedTextLength() / 100;
  picture.remove();
  return width || FONT * 0.61;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function classOf(node, name) {
  if (node.getAttribute("class") !== name) node.setAttribute("class", name);
}

export class Picture {
  /** `chosen`: called with the id of the thing that was clicked. */
  constructor(host, chosen) {
    this.host = host;
    this.chosen = chosen;
    this.things = null;
    this.boxes = [];
    this.selected = null;
    this.current = "bridge";
    this.#shape = "";
    this.#parts = new Map();
    this.svg = svg("svg", {
      role: "group",
      "aria-label": "Ports, pods, Services and peers of the node",
    });
    this.note = el("p", { class: "note" });
    host.replaceChildren(this.svg, this.note);
    this.#character = characterWidth(host);
    this.svg.addEventListener("click", (event) => {
      const thing = event.target.closest("[data-id]");
      if (thing) this.chosen(thing.dataset.id);
    });
    // Not at the svg itself, which Chromium would make a stop for Tab then.
    host.addEventListener("focusin", (event) => {
      const thing = event.target.closest("[data-id]");
      if (thing) this.#rove(thing.dataset.id);
    });
  }

  #shape;
  #parts;
  #character;

  /** Draws anew where other things are there, or the page has another width. */
  draw(things, store) {
    this.things = things;
    const shape = JSON.stringify([things.lists, Math.floor(this.host.clientWidth)]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#build(layout(things.lists, this.host.clientWidth - 4));
    }
    this.update(store);
  }

  #build(plan) {
    const focused = this.svg.contains(document.activeElement);
    this.boxes = plan.boxes;
    this.#parts = new Map();
    const lines = svg("g", { class: "lines", "aria-hidden": "true" });
    for (const points of plan.trunks)
      lines.append(svg("path", { class: "trunk", d: path(points) }));
    const branches = new Map();
    for (const { id, points } of [...plan.branches, ...plan.edges]) {
      branches.set(id, [...(branches.get(id) ?? []), svg("path", { d: path(points) })]);
      lines.append(branches.get(id).at(-1));
    }
    const labels = new Map();
    for (const { id, points } of plan.edges) {
      const [x, y] = points[0];
      labels.set(id, [
        svg("text", { class: "edge", x: x + 8, y: y + 14 }),
        svg("text", { class: "edge", x: x + 8, y: y + 28 }),
      ]);
      lines.append(...labels.get(id));
    }
    const group = svg("g", {});
    for (const one of plan.boxes) {
      const made = this.#thing(one);
      this.#parts.set(one.id, {
        ...made,
        one,
        branches: branches.get(one.id) ?? [],
        labels: labels.get(one.id) ?? [],
      });
      group.append(made.node);
    }
    this.svg.setAttribute("width", plan.width);
    this.svg.setAttribute("height", plan.height);
    this.svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    this.kin = svg("g", { class: "kin-lines", "aria-hidden": "true" });
    this.svg.replaceChildren(lines, this.kin, group);
    if (!this.#parts.has(this.current)) this.current = "bridge";
    this.#rove(this.current);
    if (focused) this.focus(this.current);
  }

  #thing(one) {
    const base = one.lines === 2 ? one.y + Math.round(one.h / 2) - 4 : one.y + one.h / 2 + 4;
    const title = svg("text", { class: "title", x: one.x + 6, y: base });
    const right = svg("text", {
      class: "right",
      x: one.x + one.w - 6,
      y: base,
      "text-anchor": "end",
    });
    const sub = one.lines === 2 ? svg("text", { class: "sub", x: one.x + 6, y: base + 15 }) : null;
    const tip = svg("title", {});
    const node = svg(
      "g",
      { "data-id": one.id, role: "button", tabindex: -1, "aria-pressed": "false" },
      tip,
      svg("rect", { class: "box", x: one.x, y: one.y, width: one.w, height: one.h, rx: 3 }),
      title,
      right,
      sub,
    );
    return { node, title, right, sub, tip };
  }

  /** Words and colours of now. */
  update(store) {
    const chosen = this.things.byId.get(this.selected);
    const kin = new Set(chosen ? kinOf(chosen, this.things).map((each) => each.id) : []);
    for (const [id, part] of this.#parts) {
      const thing = this.things.byId.get(id);
      if (!thing) continue;
      const words = wordsOf(thing, store);
      const room = Math.floor((part.one.w - 12) / this.#character);
      put(part.right, words.right);
      put(part.title, fit(words.titles, room - (words.right ? words.right.length + 1 : 0)));
      if (part.sub) put(part.sub, fit(words.subs, room));
      put(part.tip, words.label);
      part.node.setAttribute("aria-label", words.label);
      part.node.setAttribute("aria-pressed", String(id === this.selected));
      classOf(
        part.node,
        `thing ${thing.kind} ${words.state} ${kin.has(id) ? "kin" : ""}`.trimEnd(),
      );
      for (const branch of part.branches) classOf(branch, `branch level${words.level}`);
      part.labels.forEach((label, i) => put(label, words.edge?.[i] ?? ""));
    }
    this.#drawKin(kin);
    const { peers, services } = this.things.lists;
    const drawn = [...this.#parts.values()].filter((part) =>
      part.one.id.startsWith("peer "),
    ).length;
    const notes = [];
    if (peers.length > drawn) notes.push(`${peers.length - drawn} more nodes`);
    if (store.services > services.length && services.length) {
      notes.push(`${store.services - services.length} more Services`);
    }
    put(this.note, notes.length ? `${notes.join(", ")}: Find asks for any by its whole name.` : "");
  }

  /** Lines from what is chosen to what belongs to it. */
  #drawKin(kin) {
    const from = this.#parts.get(this.selected)?.one;
    const lines = [];
    for (const id of kin) {
      const to = this.#parts.get(id)?.one;
      if (!from || !to || lines.length >= 100) continue;
      const [one, other] = from.x <= to.x ? [from, to] : [to, from];
      const x1 = one.x + one.w,
        x2 = other.x,
        y1 = one.y + one.h / 2,
        y2 = other.y + other.h / 2;
      const bend = Math.max(30, Math.abs(x2 - x1) / 2);
      lines.push(
        svg("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }),
      );
    }
    this.kin.replaceChildren(...lines);
  }

  /** One thing of the picture is reached by Tab; arrows lead on from there. */
  #rove(id) {
    this.#parts.get(this.current)?.node.setAttribute("tabindex", "-1");
    this.current = id;
    this.#parts.get(id)?.node.setAttribute("tabindex", "0");
  }

  focus(id) {
    const part = this.#parts.get(id);
    if (!part) return;
    this.#rove(id);
    part.node.focus({ preventScroll: true });
    part.node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
