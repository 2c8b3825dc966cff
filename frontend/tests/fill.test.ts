import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { sliceOf } from "../src/geometry/plane";
import { findRegion } from "../src/tools/fill";
import { planeOf } from "./scene";

const SHAPE: Triple = [6, 6, 2];
const SLICE = sliceOf(planeOf(2, 0, 1, false, false), SHAPE, 1);

/** Slice 1 from rows of digits. */
function maskOf(...rows: string[]): Uint8Array {
  const mask = new Uint8Array(72);
  rows.forEach((row, y) => [...row].forEach((digit, x) => (mask[36 + x + 6 * y] = Number(digit))));
  return mask;
}

const RING = maskOf("000000", "011110", "010010", "010010", "011110", "000000");

describe("fill", () => {
  test("takes the inside of a closed outline", () => {
    const { indices } = findRegion(RING, SLICE, { x: 2, y: 2 });
    expect([...indices!].sort((a, b) => a - b)).toEqual([36 + 14, 36 + 15, 36 + 20, 36 + 21]);
  });

  test("refuses background that reaches the border: the outline is open", () => {
    const open = RING.slice();
    open[36 + 1 + 6 * 2] = 0;
    expect(findRegion(open, SLICE, { x: 2, y: 2 }).leaks).toBe(true);
  });

  test("does not slip through a diagonal gap", () => {
    const diagonal = maskOf("000000", "001100", "010010", "010010", "001100", "000000");
    expect(findRegion(diagonal, SLICE, { x: 2, y: 2 }).indices).toHaveLength(4);
  });

  test("takes a connected region of another label as a whole, even at the border", () => {
    const region = findRegion(maskOf("220000", "220000", "000000", "000022", "000000", "000000"), SLICE, { x: 0, y: 0 });
    expect(region.indices).toHaveLength(4);
  });

  test("outside the image finds nothing", () => {
    expect(findRegion(RING, SLICE, { x: 9, y: 2 }).indices).toHaveLength(0);
  });
});
