// Elements and words: all text that comes from the node gets into the page by textContent alone.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) node.append(child);
  }
  return node;
}

/** An HTML element; children are nodes, or strings that become text. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

const STEPS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** "0", "7", "12.3k": at most five characters. */
export function short(value) {
  if (!Number.isFinite(value)) return "-";
  for (const [step, unit] of STEPS) {
    if (value >= step * 0.9995) {
      const scaled = value / step;
      return (scaled >= 99.95 ? scaled.toFixed(0) : scaled.toFixed(1)) + unit;
    }
  }
  return value === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
}

/** "12.3k/s". */
export function rate(value) {
  return `${short(value)}/s`;
}

/** Bytes a second as bits, as links are measured: "1.2Gbit/s". */
export function bits(bytes) {
  return `${short(bytes * 8)}bit/s`;
}

/** "4 d 3 h", "12 min", "40 s". */
export function duration(seconds) {
  if (seconds >= 86400)
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
  if (seconds >= 3600)
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds)} s`;
}

/** A whole number with its thousands apart. */
export function whole(value) {
  return Number(value).toLocaleString("en").replaceAll(",", " ");
}

/** The first of these texts that has room for `room` characters; the last one cut in its middle. */
export function fit(texts, room) {
  for (const text of texts) {
    if (text.length <= room) return text;
  }
  const text = texts[texts.length - 1];
  if (room < 2) return "";
  const tail = Math.floor((room - 1) / 2);
  return `${text.slice(0, room - 1 - tail)}…${text.slice(text.length - tail)}`;
}
