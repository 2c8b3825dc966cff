/** The borders of a label in one slice, as lines between pixel corners. */
import type { Slice } from "../geometry/plane";

/** Pairs of corners x1, y1, x2, y2; corner (0, 0) is the top left of pixel (0, 0). Neighbouring pieces are joined. */
export function outlineOf(mask: Uint8Array, slice: Slice, label: number): number[] {
  const lines: number[] = [];
  const inside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < slice.width && y < slice.height && mask[slice.start + x * slice.right + y * slice.down] === label;
  for (let y = 0; y <= slice.height; y++) {
    joinPieces(
      slice.width,
      (x) => inside(x, y) !== inside(x, y - 1),
      (from, to) => lines.push(from, y, to, y),
    );
  }
  for (let x = 0; x <= slice.width; x++) {
    joinPieces(
      slice.height,
      (y) => inside(x, y) !== inside(x - 1, y),
      (from, to) => lines.push(x, from, x, to),
    );
  }
  return lines;
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

function joinPieces(length: number, isBorder: (at: number) => boolean, add: (from: number, to: number) => void): void {
  let from = -1;
  for (let at = 0; at <= length; at++) {
    const border = at < length && isBorder(at);
    if (border && from < 0) from = at;
    if (!border && from >= 0) {
      add(from, at);
      from = -1;
    }
  }
}
