// The keyboard: arrows go to the nearest thing that way, Enter opens it, Escape closes, / finds.

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** How far apart two stretches are; 0 where they overlap. */
const apart = (from, to, start, end) => Math.max(0, start - to, from - end);

/**
 * The box that is nearest to `from` in a direction. Sideways what is in the same row comes first;
 * up and down what is in the next row, the one that lies least aside of the middle.
 */
export function nearest(boxes, from, [dx, dy]) {
  const x = from.x + from.w / 2;
  let best = null;
  let least = Infinity;
  for (const one of boxes) {
    const [right, left] = [one.x - from.x - from.w, from.x - one.x - one.w];
    const [down, up] = [one.y - from.y - from.h, from.y - one.y - one.h];
    const ahead = dx > 0 ? right : dx < 0 ? left : dy > 0 ? down : up;
    if (one === from || ahead < -1) continue;
    const aside = dx
      ? 100 * apart(from.y, from.y + from.h, one.y, one.y + one.h)
      : apart(x, x, one.x, one.x + one.w) / 4;
    const cost = ahead + aside;
    if (cost < least) [best, least] = [one, cost];
  }
  return best;
}

/** `actions`: {open(id), close(), find()}. */
export function listen(picture, actions) {
  picture.svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const from = picture.boxes.find((one) => one.id === picture.current);
    if (!from) return;
    if (event.key in WAYS) {
      const next = nearest(picture.boxes, from, WAYS[event.key]);
      if (next) picture.focus(next.id);
    } else if (event.key === "Home" || event.key === "End") {
      picture.focus(event.key === "Home" ? picture.boxes[0].id : picture.boxes.at(-1).id);
    } else if (event.key === "Enter" || event.key === " ") {
      actions.open(from.id);
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === "Escape") {
      actions.close();
    } else if (event.key === "/" && !isTyping) {
      event.preventDefault();
      actions.find();
    }
  });
}
