// Asks the node for its state and numbers, and gives them to the parts of the page.

import { listen } from "./keys.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";
import { nodePlots } from "./plots.js";
import { Store } from "./store.js";
import { dropsTable } from "./tables.js";
import { duration, el, rate, whole } from "./text.js";
import { thingsOf } from "./things.js";
import { Way } from "./way.js";

const NUMBERS_MS = 2000,
  NODE_MS = 5000;

const $ = (id) => document.getElementById(id);
const store = new Store();
const way = new Way($("way"));
const plots = nodePlots($("plots"));
let things = null;

const panel = new Panel($("panel"), { open, close });
const picture = new Picture($("picture"), open);

function open(id) {
  const thing = things?.byId.get(id);
  if (!thing) return;
  if (picture.selected === id) {
    close();
    return;
  }
  picture.selected = id;
  panel.open(thing, things, store);
  picture.update(store);
}

function close() {
  picture.selected = null;
  panel.close();
  if (!things) return;
  picture.update(store);
  if (document.activeElement === document.body) picture.focus(picture.current);
}

function header() {
  const { health } = store.node;
  $("node").textContent = health.node;
  document.title = `${health.node} - podlane`;
  $("state").textContent = health.status;
  $("state").className = health.ready ? (health.status === "ok" ? "ok" : "warn") : "bad";
  const all = [...health.problems, ...health.elsewhere.map((each) => `elsewhere: ${each}`)];
  const problems = all.slice(0, 8).map((problem) => el("li", {}, problem));
  if (all.length > 8) problems.push(el("li", {}, `and ${all.length - 8} more`));
  $("problems").replaceChildren(...problems);
}

function totals() {
  const { flows, generation } = store.stats;
  const received = store.rateOf("/frames/received");
  const parts = [
    `generation ${whole(generation)}`,
    `up ${duration(store.node.health.uptimeSeconds)}`,
    `${whole(flows.active)} connections`,
  ];
  if (received !== undefined) {
    parts.push(`${rate(received)} packets`, `${rate(store.rateOf("/frames/dropped"))} dropped`);
  }
  $("totals").textContent = parts.join(" · ");
}

function draw() {
  if (!store.node || !store.stats) return;
  things = thingsOf(store, $("find").value.trim());
  header();
  totals();
  picture.draw(things, store);
  panel.update(things, store);
  way.update(store);
  // Not under the eyes of who reads in it.
  if (!$("drops").matches(":hover, :focus-within")) $("drops").replaceChildren(dropsTable(store));
  for (const plot of plots) plot.update(store);
  document.body.dataset.samples = store.times.length;
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function lost(problem) {
  $("state").textContent = `no answer (${problem.message})`;
  $("state").className = "bad";
}

/** Calls `work` at once and then every `ms`, while the page is looked at. */
function repeat(work, ms) {
  const turn = async () => {
    if (!document.hidden) await work().catch(lost);
    setTimeout(turn, ms);
  };
  turn();
}

listen(picture, { open, close, find: () => $("find").focus() });
$("find").addEventListener("input", draw);
$("find").addEventListener("keydown", (event) => {
  const name = $("find").value.trim();
  if (event.key !== "Enter" || !name || !things) return;
  // Something that is drawn, or any name that the node may know.
  const id = [`port ${name}`, `service ${name}`].find((one) => things.byId.has(one));
  if (id) {
    open(id);
  } else {
    picture.selected = null;
    panel.open({ id: `asked ${name}`, kind: "asked", name }, things, store);
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const plot of [...plots, panel]) plot.restyle();
  draw();
});
new ResizeObserver(draw).observe($("picture"));

repeat(async () => {
  store.takeNode(await ask("/page/node.json"));
  draw();
}, NODE_MS);
repeat(async () => {
  if (store.takeNumbers(await ask("/page/numbers.json"))) draw();
}, NUMBERS_MS);
repeat(() => panel.ask(), NODE_MS);
