// What the node has said: its things, their rates, and the last minutes of them.
//
// Counters only grow; a rate is the difference of two answers by the node's own clock. Where one
// falls the process is another one, and history begins anew.

const KEPT = 300;
const PEER_COUNTS = ["rxPackets", "rxBytes", "txPackets", "txBytes"];
const PORT_COUNTS = [...PEER_COUNTS, "rxDropped", "txDropped"];

function at(object, pointer) {
  let found = object;
  for (const part of pointer.split("/").slice(1)) found = found?.[part];
  return found;
}

/** A list of the last values, aligned with the times of all. */
function push(list, value, length) {
  while (list.length < length - 1) list.push(null);
  list.push(value);
}

export class Store {
  node = null;
  stats = null;
  services = 0;
  /** By port, other node, service, drop reason and pointer into stats: counts a second. */
  ports = new Map();
  peers = new Map();
  created = new Map();
  drops = new Map();
  counts = new Map();
  busy = [];
  times = [];
  series = new Map();
  #last = null;

  takeNode(node) {
    this.node = node;
  }

  /** Whether there was anything new. */
  takeNumbers(numbers) {
    const last = this.#last;
    if (last && numbers.atMs === last.atMs) return false;
    this.#last = numbers;
    this.stats = numbers.stats;
    this.services = numbers.services;
    if (last && numbers.stats.frames.received < last.stats.frames.received) this.#forget();
    const seconds = last ? (numbers.atMs - last.atMs) / 1000 : 0;
    if (seconds > 0 && numbers.stats.frames.received >= last.stats.frames.received) {
      this.#measurePeers(last.peers, numbers.peers);
      this.#measure(last.stats, numbers.stats, seconds);
    }
    return true;
  }

  /** How much the number at `pointer` grows in a second. */
  rateOf(pointer) {
    return this.counts.get(pointer);
  }

  countOf(pointer) {
    return at(this.stats, pointer);
  }

  history(name) {
    return this.series.get(name) ?? [];
  }

  #forget() {
    this.times = [];
    this.series.clear();
    for (const map of [this.ports, this.peers, this.created, this.drops, this.counts]) map.clear();
  }

  /** Their time is the one for which they were counted: counting may have paused. */
  #measurePeers(before, now) {
    const seconds = (now.milliseconds - before.milliseconds) / 1000;
    const old = new Map(before.peers.map((peer) => [peer.node, peer]));
    this.peers = new Map();
    if (!(seconds > 0)) return;
    for (const peer of now.peers) {
      const was = old.get(peer.node);
      if (!was) continue;
      const rates = {};
      for (const key of PEER_COUNTS) rates[key] = Math.max(0, peer[key] - was[key]) / seconds;
      this.peers.set(peer.node, rates);
    }
  }

  #measure(before, now, seconds) {
    const grown = (one, other) => Math.max(0, (other ?? 0) - (one ?? 0)) / seconds;
    const old = new Map(before.ports.map((port) => [port.name, port]));
    this.ports = new Map();
    for (const port of now.ports) {
      const was = old.get(port.name);
      if (!was) continue;
      const rates = {};
      for (const key of PORT_COUNTS) rates[key] = grown(was[key], port[key]);
      this.ports.set(port.name, rates);
    }
    const created = new Map(before.services.map((one) => [one.service, one.created]));
    this.created = new Map(
      now.services.map((one) => [
        one.service,
        created.has(one.service) ? grown(created.get(one.service), one.created) : 0,
      ]),
    );
    this.drops = new Map(
      Object.entries(now.drops).map(([reason, count]) => [
        reason,
        grown(before.drops[reason], count),
      ]),
    );
    for (const stage of this.node?.way ?? []) {
      for (const { where } of stage.counts) {
        this.counts.set(where, grown(at(before, where), at(now, where)));
      }
    }
    for (const where of ["/frames/received", "/frames/sent", "/frames/dropped", "/flows/created"]) {
      this.counts.set(where, grown(at(before, where), at(now, where)));
    }
    this.busy = now.workers.map((worker, i) => {
      const was = before.workers[i];
      const busy = grown(was?.busyCycles, worker.busyCycles);
      const all = busy + grown(was?.idleCycles, worker.idleCycles);
      return all > 0 ? busy / all : 0;
    });
    this.#remember(now);
  }

  #remember(now) {
    this.times.push(Date.now() / 1000);
    const length = this.times.length;
    const note = (name, value) => {
      if (!this.series.has(name)) this.series.set(name, []);
      push(this.series.get(name), value, length);
    };
    note("received", this.counts.get("/frames/received"));
    note("sent", this.counts.get("/frames/sent"));
    note("dropped", this.counts.get("/frames/dropped"));
    note("new", this.counts.get("/flows/created"));
    note("active", now.flows.active);
    note("busy", 100 * Math.max(0, ...this.busy));
    let inside = 0,
      outside = 0;
    const uplinks = new Set(
      now.ports.filter((port) => port.kind === "uplink").map((port) => port.name),
    );
    for (const [name, rates] of this.ports) {
      note(`from ${name}`, rates.rxPackets);
      note(`to ${name}`, rates.txPackets);
      if (!uplinks.has(name)) continue;
      inside += rates.rxBytes * 8;
      outside += rates.txBytes * 8;
    }
    for (const [name, rates] of this.peers) {
      note(`from node ${name}`, rates.rxPackets);
      note(`to node ${name}`, rates.txPackets);
    }
    note("uplink in", inside);
    note("uplink out", outside);
    for (const [name, value] of this.created) note(`service ${name}`, value);
    this.#trim();
  }

  #trim() {
    const spare = this.times.length - KEPT;
    for (const [name, list] of this.series) {
      // Of what is not there any more.
      if (list.length < this.times.length - KEPT / 2) this.series.delete(name);
    }
    if (spare <= 0) return;
    this.times.splice(0, spare);
    for (const list of this.series.values()) list.splice(0, spare);
  }
}
