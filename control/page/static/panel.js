// What is chosen: facts, rates, connections, drops and policies of one thing.

import { dropsTable, facts, flowsTable, frontendsTable, table } from "./tables.js";
import { Plot } from "./plots.js";
import { bits, el, rate, whole } from "./text.js";
import { kinOf, wordsOf } from "./things.js";

/** The name by which the node knows a thing's connections; undefined: all; null: by none. */
function flowName(thing) {
  if (thing.kind === "pod" || thing.kind === "static") return thing.port.pod;
  if (thing.kind === "service" || thing.kind === "asked") return thing.name;
  if (thing.kind === "bridge") return undefined;
  return thing.kind === "dns" || thing.kind === "uplink" || thing.kind === "host"
    ? (thing.port.addresses[0]?.replace(/\/\d+$/, "") ?? null)
    : null;
}

/** "12.3k/s, 1.2Mbit/s" of rates that may not be known. */
function both(rates, packets, bytes) {
  return rates ? `${rate(rates[packets])}, ${bits(rates[bytes])}` : "-";
}

function portFacts(thing, store) {
  const { port } = thing;
  const counted = store.stats.ports.find((one) => one.name === port.name);
  const rates = store.ports.get(port.name);
  const lost = (key) =>
    counted ? `${whole(counted[key])}${rates?.[key] > 0 ? `, ${rate(rates[key])}` : ""}` : "-";
  const losses = Object.entries(counted?.deviceLosses ?? {})
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${whole(count)}`)
    .join(", ");
  return facts([
    ["kind", port.kind],
    ["state", port.state],
    ["addresses", port.addresses.join(" ")],
    ["MAC", port.mac],
    ["MTU", String(port.mtu)],
    ["device", port.device],
    ["interface", port.ifname],
    ["namespace", port.netns],
    ["link", port.mbitPerSecond ? `${port.mbitPerSecond} Mbit/s` : ""],
    ["from it", both(rates, "rxPackets", "rxBytes")],
    ["to it", both(rates, "txPackets", "txBytes")],
    ["dropped from it", lost("rxDropped")],
    ["dropped to it", lost("txDropped")],
    ["lost by its device", losses],
  ]);
}

function policyList(thing, store) {
  const policies = store.node.policies[thing.name];
  const way = (names) => (names?.length ? names.join(", ") : "open: none selects it");
  return el(
    "div",
    {},
    el("h3", {}, "Network policies"),
    facts([
      ["ingress", way(policies?.ingress)],
      ["egress", way(policies?.egress)],
    ]),
  );
}

function peerFacts(thing, store) {
  const rates = store.peers.get(thing.name);
  return [
    facts([
      ["from it", both(rates, "rxPackets", "rxBytes")],
      ["to it", both(rates, "txPackets", "txBytes")],
    ]),
    table(
      "Routes",
      [
        ["PREFIX", (one) => one.prefix],
        ["VIA", (one) => one.via],
        ["PORT", (one) => one.port],
        ["OVERLAY", (one) => one.overlay],
        ["MTU", (one) => (one.mtu ? String(one.mtu) : "")],
      ],
      thing.routes,
    ),
    table(
      "Neighbours",
      [
        ["ADDRESS", (one) => one.address],
        ["MAC", (one) => one.mac],
        ["PORT", (one) => one.port],
        ["STATE", (one) => one.state],
        ["ANSWERED", (one) => (one.ageSeconds === undefined ? "" : `${one.ageSeconds} s ago`)],
      ],
      thing.neighbors,
    ),
  ];
}

function bridgeFacts(store) {
  const { flows } = store.stats;
  return [
    facts([
      ["generation", whole(store.stats.generation)],
      ["connections", `${whole(flows.active)} of ${whole(flows.capacity)}`],
      ["made", whole(flows.created)],
      ["gave way", whole(flows.evicted)],
      ["refused", whole(flows.refused)],
      [
        "buffers in use",
        `${whole(store.stats.frames.buffers.inUse)} of ${whole(store.stats.frames.buffers.total)}`,
      ],
    ]),
    dropsTable(store),
  ];
}

function factsOf(thing, store) {
  switch (thing.kind) {
    case "bridge":
      return bridgeFacts(store);
    case "peer":
      return peerFacts(thing, store);
    case "asked":
      return [];
    case "service":
      return [facts([["new connections", rate(store.created.get(thing.name) ?? 0)]])];
    default:
      return [
        portFacts(thing, store),
        thing.kind === "pod" || thing.kind === "static" ? policyList(thing, store) : null,
      ];
  }
}

function seriesOf(thing) {
  if (thing.kind === "service") return [["new", "--one", `service ${thing.name}`]];
  if (thing.kind === "peer") {
    return [
      ["from it", "--one", `from node ${thing.name}`],
      ["to it", "--two", `to node ${thing.name}`],
    ];
  }
  if (!thing.port?.name) return null;
  return [
    ["from it", "--one", `from ${thing.name}`],
    ["to it", "--two", `to ${thing.name}`],
  ];
}

export class Panel {
  /** `actions`: {open(id), close()}. */
  constructor(host, actions) {
    this.host = host;
    this.actions = actions;
    this.thing = null;
    this.plot = null;
  }

  open(thing, things, store) {
    this.close();
    this.thing = thing;
    const close = el("button", { type: "button", class: "close" }, "Close");
    close.addEventListener("click", () => this.actions.close());
    const kin = kinOf(thing, things)
      .slice(0, 40)
      .map((one) => {
        const button = el("button", { type: "button" }, `${one.kind} ${one.name}`);
        button.addEventListener("click", () => this.actions.open(one.id));
        return button;
      });
    this.facts = el("div", {});
    this.more = el(
      "div",
      { "aria-busy": "true" },
      flowName(thing) === null ? "" : "asking for its connections ...",
    );
    this.host.replaceChildren(
      el(
        "h2",
        { id: "panel-title", tabindex: -1 },
        thing.kind === "asked" ? thing.name : `${thing.kind} ${thing.name}`,
      ),
      close,
      el("p", { class: "kin" }, ...kin),
    );
    const series = seriesOf(thing);
    this.host.append(this.facts);
    if (series)
      this.plot = new Plot(this.host, thing.kind === "service" ? "Connections" : "Packets", series);
    this.host.append(this.more);
    this.host.hidden = false;
    this.update(things, store);
    this.ask();
  }

  close() {
    this.plot?.remove();
    this.plot = this.thing = null;
    this.host.replaceChildren();
    this.host.hidden = true;
  }

  update(things, store) {
    if (!this.thing) return;
    this.thing = things.byId.get(this.thing.id) ?? this.thing;
    this.plot?.update(store);
    // A table in which somebody moves by keyboard stays as it is.
    if (this.facts.matches(":focus-within")) return;
    this.facts.replaceChildren(
      el(
        "p",
        { class: "say" },
        this.thing.kind === "asked" ? "" : wordsOf(this.thing, store).label,
      ),
      ...factsOf(this.thing, store).filter(Boolean),
    );
  }

  restyle() {
    this.plot?.restyle();
  }

  /** Asks for the first connections; called again every few seconds. */
  async ask() {
    const { thing } = this;
    const name = thing && flowName(thing);
    if (!thing || name === null) return;
    const query = name === undefined ? "" : `?name=${encodeURIComponent(name)}`;
    const answer = await fetch(`/page/thing.json${query}`).catch(() => null);
    if (this.thing?.id !== thing.id || !answer) return;
    if (answer.status === 503) {
      setTimeout(() => this.thing?.id === thing.id && this.ask(), 1000);
      return;
    }
    this.more.setAttribute("aria-busy", "false");
    if (this.more.matches(":focus-within")) return;
    if (!answer.ok) {
      this.more.replaceChildren(el("p", {}, await answer.text()));
      return;
    }
    const { flows, frontends } = await answer.json();
    if (this.thing?.id !== thing.id) return;
    const at = this.more.querySelector(".scroll:last-child")?.scrollTop ?? 0;
    this.more.replaceChildren(
      frontends.items.length ? frontendsTable(frontends.items) : "",
      flows.items.length ? flowsTable(flows) : el("p", {}, "no connections"),
    );
    const scroll = this.more.querySelector(".scroll:last-child");
    if (scroll) scroll.scrollTop = at;
  }
}
