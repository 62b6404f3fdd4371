// What there is on the node, in the order in which it is drawn and walked through; and each thing
// in words.

import { MOST_PEERS, MOST_SERVICES } from "./layout.js";
import { bits, rate, short, whole } from "./text.js";

const byName = (one, other) => one.name.localeCompare(other.name, "en", { numeric: true });

function peersOf(node) {
  const peers = new Map();
  for (const route of node.routes.items) {
    if (!route.node) continue;
    if (!peers.has(route.node)) {
      peers.set(route.node, {
        id: `peer ${route.node}`,
        kind: "peer",
        name: route.node,
        routes: [],
      });
    }
    const peer = peers.get(route.node);
    peer.routes.push(route);
    peer.port ??= route.port;
  }
  for (const peer of peers.values()) {
    const via = new Set(peer.routes.map((route) => route.via));
    peer.neighbors = node.neighbors.items.filter((one) => via.has(one.address));
  }
  return [...peers.values()].sort(byName);
}

function servicesOf(store) {
  const services = new Map();
  for (const { service } of store.stats?.services ?? []) {
    services.set(service, {
      id: `service ${service}`,
      kind: "service",
      name: service,
      frontends: [],
    });
  }
  for (const frontend of store.node.frontends.items) {
    services.get(frontend.service)?.frontends.push(frontend);
  }
  const created = new Map((store.stats?.services ?? []).map((one) => [one.service, one.created]));
  // Which are drawn does not change with each packet: the most used ones since the start.
  const list = [...services.values()].sort(
    (one, other) => created.get(other.name) - created.get(one.name),
  );
  return list.slice(0, MOST_SERVICES).sort(byName);
}

/** Things by id, and the lists that layout() takes. `wanted`: text that names must hold. */
export function thingsOf(store, wanted = "") {
  const { node } = store;
  const fits = (thing, ...more) =>
    !wanted || [thing.name, ...more].some((text) => text?.includes(wanted));
  const ports = node.ports.items.map((port) => ({
    id: `port ${port.name}`,
    name: port.name,
    port,
    kind: port.pod ? "pod" : port.kind,
  }));
  const uplinks = ports.filter((one) => one.kind === "uplink");
  const hosts = ports.filter((one) => one.kind === "host" || one.kind === "dns");
  const pods = ports
    .filter((one) => one.kind === "pod" || one.kind === "static")
    .sort(byName)
    .filter((one) => fits(one, one.port.pod, ...one.port.addresses));
  const allPeers = peersOf(node);
  const peers = allPeers.filter((one) => fits(one, ...one.routes.map((route) => route.prefix)));
  const services = servicesOf(store).filter((one) =>
    fits(one, ...one.frontends.map((frontend) => frontend.address)),
  );
  const bridge = {
    id: "bridge",
    kind: "bridge",
    name: node.health.node,
    ports: ports.length,
    pods: ports.filter((one) => one.kind === "pod" || one.kind === "static").length,
    peers: allPeers.length,
  };
  const all = [...peers.slice(0, MOST_PEERS), ...uplinks, ...hosts, bridge, ...pods, ...services];
  return {
    byId: new Map(all.map((thing) => [thing.id, thing])),
    lists: {
      peers: peers.map((peer) => ({ id: peer.id, port: `port ${peer.port}` })),
      uplinks: uplinks.map((one) => one.id),
      hosts: hosts.map((one) => one.id),
      pods: pods.map((one) => one.id),
      services: services.map((one) => one.id),
    },
  };
}

/** How much goes on, in steps: 0 nothing, 1 below 10 a second, ... 4 from 10,000. */
export function level(perSecond) {
  if (!(perSecond > 0)) return 0;
  return Math.min(4, Math.max(1, Math.floor(Math.log10(perSecond)) + 1));
}

const names = (name) => [name, name.slice(name.indexOf("/") + 1)];

/** The words of an edge with these rates: packets and bits, from its thing and to it. */
function edgeWords(rates) {
  return [
    `↓ ${rate(rates.rxPackets)} ↑ ${rate(rates.txPackets)}`,
    `↓ ${bits(rates.rxBytes)} ↑ ${bits(rates.txBytes)}`,
  ];
}

function portWords(thing, store) {
  const { port } = thing;
  const rates = store.ports.get(thing.name);
  const all = rates ? rates.rxPackets + rates.txPackets : 0;
  const lost = rates ? rates.rxDropped + rates.txDropped : 0;
  const isolated = store.node.policies[thing.name] !== undefined;
  const state = port.state !== "up" ? "bad" : lost > 0 ? "warn" : "";
  const dropped = lost > 0 ? `, ${rate(lost)} dropped` : "";
  const addresses = port.addresses.join(" ");
  const mark = isolated ? "▣ " : "";
  const words = {
    titles: names(thing.name).map((name) => mark + name),
    state,
    level: level(all),
    right: port.state !== "up" ? port.state : rates && all > 0 ? short(all) : "",
    subs: [addresses, port.addresses[0] ?? port.device],
  };
  if (thing.kind === "pod" || thing.kind === "static") {
    if (all > 0) words.subs = [`${rate(rates.rxPackets)} out, ${rate(rates.txPackets)} in`];
  }
  words.edge = rates ? edgeWords(rates) : [];
  words.label =
    `${thing.kind} ${thing.name}, ${port.state}, ${addresses}, ` +
    `${rate(all)} packets${dropped}${isolated ? ", selected by network policies" : ""}`;
  return words;
}

function serviceWords(thing, store) {
  const perSecond = store.created.get(thing.name) ?? 0;
  const endpoints = Math.max(0, ...thing.frontends.map((one) => one.inside.length));
  const first = thing.frontends[0];
  const where = first ? `${first.address}:${first.port} ` : "";
  return {
    titles: names(thing.name),
    right: perSecond > 0 ? `${short(perSecond)} new` : "",
    subs: [`${where}${endpoints} endpoint${endpoints === 1 ? "" : "s"}`, `${endpoints} ends`],
    state: endpoints === 0 ? "warn" : "",
    level: level(perSecond),
    label: `Service ${thing.name}, ${endpoints} endpoints, ${rate(perSecond)} new connections`,
  };
}

function peerWords(thing, store) {
  const [route] = thing.routes;
  const rates = store.peers.get(thing.name);
  const all = rates ? rates.rxPackets + rates.txPackets : 0;
  const states = thing.neighbors.map((one) => one.state);
  const isBad = states.includes("failed") || route.via === undefined;
  const state = states[0] ?? "";
  return {
    titles: [thing.name],
    right: state === "reachable" || state === "static" ? (all > 0 ? short(all) : "") : state,
    subs:
      all > 0
        ? [...edgeWords(rates).reverse(), route.prefix]
        : [`${route.overlay} ${route.prefix}`, route.prefix],
    state: isBad ? "bad" : "",
    level: level(all),
    label:
      `node ${thing.name}, ${route.overlay} to ${route.prefix}, ` +
      `neighbour ${state || "not known"}, ${rate(all)} packets`,
  };
}

function bridgeWords(thing, store) {
  const flows = store.stats?.flows;
  const packets = store.rateOf("/frames/received");
  const drops = store.rateOf("/frames/dropped") ?? 0;
  const busy = store.busy.length
    ? `, workers ${Math.round(100 * Math.max(...store.busy))}% busy`
    : "";
  return {
    titles: [`bridge of ${thing.name}: ${thing.pods} pods`, `${thing.pods} pods`],
    right: packets === undefined ? "" : `${rate(packets)} packets`,
    subs: flows
      ? [
          `${whole(flows.active)} connections of ${whole(flows.capacity)}, ` +
            `${rate(drops)} dropped${busy}`,
          `${short(flows.active)} connections`,
        ]
      : [""],
    state: drops > 0 ? "warn" : "",
    level: level(packets),
    label:
      `bridge of node ${thing.name}, ${thing.pods} pods, ` +
      `${flows ? whole(flows.active) : 0} connections, ${rate(drops)} packets dropped`,
  };
}

const WORDS = { service: serviceWords, peer: peerWords, bridge: bridgeWords };

/** {titles, right, subs, state, level, label[, edge]}; of titles and subs the first that has room. */
export function wordsOf(thing, store) {
  return (WORDS[thing.kind] ?? portWords)(thing, store);
}

/** Ids of what belongs to a thing: a Service's endpoints here, a pod's Services, an uplink's peers. */
export function kinOf(thing, things) {
  const all = [...things.byId.values()];
  const addressOf = (endpoint) =>
    endpoint.slice(0, endpoint.lastIndexOf(":")).replace(/[[\]]/g, "");
  const ends = (service) =>
    new Set(service.frontends.flatMap((one) => one.inside.concat(one.outside)).map(addressOf));
  if (thing.kind === "service") {
    const wanted = ends(thing);
    return all.filter(
      (one) => one.kind === "pod" && one.port.addresses.some((each) => wanted.has(each)),
    );
  }
  if (thing.kind === "pod" || thing.kind === "static") {
    return all.filter(
      (one) => one.kind === "service" && thing.port.addresses.some((each) => ends(one).has(each)),
    );
  }
  if (thing.kind === "uplink")
    return all.filter((one) => one.kind === "peer" && one.port === thing.name);
  return thing.kind === "peer"
    ? all.filter((one) => one.kind === "uplink" && one.name === thing.port)
    : [];
}
