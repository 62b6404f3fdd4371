// Where each thing stands: a pure function of what there is and how wide the page is.
//
//    peers        hang above the uplink that leads to them
//    uplinks      with the host and the DNS server beside them
//    bridge ----  services to the right of it
//    pods         hang below it, in columns by name
//
// A hanging thing has a trunk in the gutter left of its column, and a branch from there.

const MARGIN = 8,
  GAP = 5,
  GUTTER = 16;
const PORT_WIDTH = 200,
  PORT_HEIGHT = 46;
const BRIDGE_HEIGHT = 46,
  LABEL = 34;
const SERVICES_WIDTH = 250,
  SERVICES_FROM = 900;
/** More pods than this have the whole width, and Services stand below them. */
const MANY = 120;
export const MOST_PEERS = 60,
  MOST_SERVICES = 60;

const box = (id, x, y, w, h, lines) => ({ id, x, y, w, h, lines });

/** How large one of so many is. */
function cell(count) {
  if (count <= 24) return { w: 190, h: 40, gap: GAP, lines: 2 };
  return count <= MANY ? { w: 170, h: 22, gap: 4, lines: 1 } : { w: 160, h: 17, gap: 2, lines: 1 };
}

/** Things in columns below (or above) a bus at `y`; what they are and where it ends. */
function hang(ids, x, y, width, size, isUp = false) {
  const columns = Math.max(1, Math.floor((width + GAP) / (size.w + GUTTER)));
  const rows = Math.ceil(ids.length / columns);
  const used = Math.ceil(ids.length / Math.max(1, rows));
  const column = Math.min(width / used, size.w * 1.6 + GUTTER);
  const boxes = [],
    trunks = [],
    branches = [];
  ids.forEach((id, i) => {
    const left = x + Math.floor(i / rows) * column;
    const row = i % rows;
    const step = size.h + size.gap;
    const top = isUp ? y - 12 - (row + 1) * step + size.gap : y + 12 + row * step;
    boxes.push(box(id, left + GUTTER, top, column - GUTTER - 1, size.h, size.lines));
    branches.push({
      id,
      points: [
        [left + 6, top + size.h / 2],
        [left + GUTTER, top + size.h / 2],
      ],
    });
    if (row === rows - 1 || i === ids.length - 1) {
      trunks.push([
        [left + 6, y],
        [left + 6, top + size.h / 2],
      ]);
    }
  });
  return { boxes, trunks, branches, reach: ids.length ? 12 + rows * (size.h + size.gap) : 0 };
}

/** The ports that are no pods', over the bridge, with the peers that each leads to above it. */
function upper(things, width, out) {
  const peers = new Map(things.uplinks.map((id) => [id, []]));
  for (const { id, port } of things.peers.slice(0, MOST_PEERS)) peers.get(port)?.push(id);
  const leading = things.uplinks.filter((id) => peers.get(id).length);
  const size =
    things.peers.length > 12
      ? { w: 150, h: 22, gap: 4, lines: 1 }
      : { w: 150, h: 34, gap: GAP, lines: 2 };
  const share = width / Math.max(1, leading.length);
  const hung = new Map(
    leading.map((id, i) => [
      id,
      hang(peers.get(id), MARGIN + i * share, 0, share - GAP, size, true),
    ]),
  );
  const reach = Math.max(0, ...[...hung.values()].map((one) => one.reach));
  const top = MARGIN + (reach ? reach + 14 : 0);
  const bus = top - 14;
  const lower = ([x, y]) => [x, y + bus];
  things.uplinks.forEach((id, i) => {
    const x = MARGIN + i * (PORT_WIDTH + GAP);
    out.boxes.push(box(id, x, top, PORT_WIDTH, PORT_HEIGHT, 2));
    const made = hung.get(id);
    if (!made) return;
    out.boxes.push(...made.boxes.map((one) => ({ ...one, y: one.y + bus })));
    out.branches.push(...made.branches.map((branch) => ({ ...branch, points: branch.points.map(lower) })));
    const trunks = made.trunks.map((trunk) => trunk.map(lower));
    const ends = [...trunks.map((trunk) => trunk[0][0]), x + 20];
    // With several uplinks their lines to the peers may cross, on levels of their own.
    const level = bus + 3 * i;
    out.trunks.push(
      ...trunks.map(([[tx], end]) => [[tx, level], end]),
      [
        [Math.min(...ends), level],
        [Math.max(...ends), level],
      ],
      [
        [x + 20, level],
        [x + 20, top],
      ],
    );
  });
  const taken = things.hosts.length * (PORT_WIDTH + GAP) - GAP;
  const first = Math.max(
    MARGIN + width - taken,
    MARGIN + things.uplinks.length * (PORT_WIDTH + GAP),
  );
  things.hosts.forEach((id, i) => {
    out.boxes.push(box(id, first + i * (PORT_WIDTH + GAP), top, PORT_WIDTH, PORT_HEIGHT, 2));
  });
  out.width = Math.max(out.width, first + taken + MARGIN);
  return top + PORT_HEIGHT;
}

/**
 * `things`: {peers: [{id, port}], uplinks, hosts, pods, services: [id]}; of each the order is kept.
 * Boxes never overlap. `edges` are of the ports over the bridge, with room for two labels.
 */
export function layout(things, pageWidth) {
  const width = Math.max(340, pageWidth);
  const isWide = width >= SERVICES_FROM && things.services.length > 0 && things.pods.length <= MANY;
  const inner = width - 2 * MARGIN - (isWide ? SERVICES_WIDTH + GUTTER : 0);
  const out = { width, boxes: [], trunks: [], branches: [], edges: [] };
  const bottom = upper(things, inner, out);
  const bridge = box("bridge", MARGIN, bottom + LABEL, inner, BRIDGE_HEIGHT, 2);
  out.boxes.push(bridge);
  for (const id of [...things.uplinks, ...things.hosts]) {
    const from = out.boxes.find((one) => one.id === id);
    const x = Math.min(from.x + 20, MARGIN + inner - 4);
    out.edges.push({
      id,
      points: [
        [x, bottom],
        [x, bridge.y],
      ],
    });
  }
  const under = bridge.y + bridge.h;
  const pods = hang(things.pods, MARGIN, under, inner, cell(things.pods.length));
  let end = under + pods.reach;
  const services = things.services.slice(0, MOST_SERVICES);
  const size = isWide && services.length > 30 ? { h: 22, lines: 1 } : { h: 34, lines: 2 };
  if (isWide) {
    const x = MARGIN + inner,
      y = bridge.y + bridge.h / 2;
    services.forEach((id, i) => {
      const top = bridge.y + i * (size.h + GAP);
      out.boxes.push(box(id, x + GUTTER, top, SERVICES_WIDTH, size.h, size.lines));
      out.branches.push({
        id,
        points: [
          [x + 7, top + size.h / 2],
          [x + GUTTER, top + size.h / 2],
        ],
      });
    });
    const last = bridge.y + (services.length - 1) * (size.h + GAP) + size.h / 2;
    out.trunks.push(
      [
        [x, y],
        [x + 7, y],
      ],
      [
        [x + 7, bridge.y + size.h / 2],
        [x + 7, Math.max(y, last)],
      ],
    );
    end = Math.max(end, last + size.h);
  } else if (services.length) {
    const below = hang(services, MARGIN, end + 6, inner, { w: 190, h: 34, gap: GAP, lines: 2 });
    for (const key of ["boxes", "trunks", "branches"]) out[key].push(...below[key]);
    out.trunks.push(
      [
        [MARGIN + 2, under],
        [MARGIN + 2, end + 6],
      ],
      [
        [MARGIN + 2, end + 6],
        [MARGIN + inner, end + 6],
      ],
    );
    end += 6 + below.reach;
  }
  for (const key of ["boxes", "trunks", "branches"]) out[key].push(...pods[key]);
  out.height = end + MARGIN;
  return out;
}
