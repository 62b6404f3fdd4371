// The keyboard: arrows go to the nearest thing that way, Enter opens it, Escape closes, / finds.

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The box that is nearest to `from` in a direction; the next row or column comes before others. */
export function nearest(boxes, from, [dx, dy]) {
  const x = from.x + from.w / 2,
    y = from.y + from.h / 2;
  let best = null,
    least = Infinity;
  for (const one of boxes) {
    const ahead =
      dx > 0
        ? one.x - from.x - from.w
        : dx < 0
          ? from.x - one.x - one.w
          : dy > 0
            ? one.y - from.y - from.h
            : from.y - one.y - one.h;
    // To the side, the distance to the box, not to its middle: a bar that lies across is near.
    const aside = dx
      ? Math.max(0, one.y - y, y - one.y - one.h)
      : Math.max(0, one.x - x, x - one.x - one.w);
    if (one === from || ahead < -1) continue;
    const cost = 4 * ahead + aside;
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
