/** Keys within a row of buttons that is one stop of Tab: the arrows go from one to the next, over lines where it has several. */

/** Where a button is on the screen. */
export type Box = Pick<DOMRect, "left" | "top" | "width" | "height">;

const middle = ({ left, top, width, height }: Box): [x: number, y: number] => [left + width / 2, top + height / 2];

/** The button that a key leads to; null where the key is none of a row's, so that it keeps its meaning for the page. */
export function stepInRow(boxes: readonly Box[], at: number, key: string): number | null {
  const last = boxes.length - 1;
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowRight") return Math.min(last, at + 1);
  if (key === "ArrowLeft") return Math.max(0, at - 1);
  if (key === "ArrowDown") return stepOverLines(boxes, at, 1);
  return key === "ArrowUp" ? stepOverLines(boxes, at, -1) : null;
}

/** The nearest button of the next line; at the last line one stays, and in a single line the key means nothing. */
function stepOverLines(boxes: readonly Box[], at: number, sign: 1 | -1): number | null {
  const here = boxes[at]!;
  const [x, y] = middle(here);
  const places = boxes.map((box, n) => ({ n, dx: Math.abs(middle(box)[0] - x), dy: (middle(box)[1] - y) * sign, half: Math.max(box.height, here.height) / 2 }));
  const beyond = places.filter(({ dy, half }) => dy > half);
  if (beyond.length === 0) return places.some(({ dy, half }) => dy < -half) ? at : null;
  return beyond.reduce((best, one) => ((one.dy - best.dy || one.dx - best.dx) < 0 ? one : best)).n;
}
