/** The borders of a label in one slice, as lines between pixel corners. */
import type { Slice } from "../geometry/plane";
import type { Rect } from "./slice";

/**
 * Pairs of corners x1, y1, x2, y2; corner (0, 0) is the top left of pixel (0, 0). Neighbouring pieces are joined. The whole slice is looked
 * at once, to find the label's box: reading across slices is slow in a large volume.
 */
export function outlineOf(mask: Uint8Array, slice: Slice, label: number): number[] {
  const lines: number[] = [];
  const { left, top, right, bottom } = boxIn(mask, slice, label);
  const inside = (x: number, y: number): boolean =>
    x >= left && y >= top && x < right && y < bottom && mask[slice.start + x * slice.right + y * slice.down] === label;
  for (let y = top; y <= bottom; y++) {
    joinPieces(
      left,
      right,
      (x) => inside(x, y) !== inside(x, y - 1),
      (from, to) => lines.push(from, y, to, y),
    );
  }
  for (let x = left; x <= right; x++) {
    joinPieces(
      top,
      bottom,
      (y) => inside(x, y) !== inside(x - 1, y),
      (from, to) => lines.push(x, from, x, to),
    );
  }
  return lines;
}

/** The smallest rectangle around a label; nothing lies in it where there is none. */
function boxIn(mask: Uint8Array, slice: Slice, label: number): Rect {
  const box: Rect = { left: slice.width, top: slice.height, right: 0, bottom: 0 };
  for (let y = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, index += slice.right) {
      if (mask[index] !== label) continue;
      if (x < box.left) box.left = x;
      if (x >= box.right) box.right = x + 1;
      if (y < box.top) box.top = y;
      box.bottom = y + 1;
    }
  }
  return box;
}

/** Which labels occur in a slice. */
export function labelsIn(mask: Uint8Array, slice: Slice): number[] {
  const seen = new Uint8Array(256);
  for (let y = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, index += slice.right) seen[mask[index]!] = 1;
  }
  const labels: number[] = [];
  for (let value = 1; value < 256; value++) if (seen[value]) labels.push(value);
  return labels;
}

function joinPieces(first: number, stop: number, isBorder: (at: number) => boolean, add: (from: number, to: number) => void): void {
  let from = -1;
  for (let at = first; at <= stop; at++) {
    const border = at < stop && isBorder(at);
    if (border && from < 0) from = at;
    if (!border && from >= 0) {
      add(from, at);
      from = -1;
    }
  }
}
