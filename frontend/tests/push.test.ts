import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { sweepBrush } from "../src/geometry/brush";
import { pushFrom } from "../src/tools/push";
import { planeOf } from "./scene";

const SHAPE: Triple = [41, 41, 3];
const SPACING: Triple = [1, 1, 1];
const PLANE = planeOf(2, 0, 1, false, false, SPACING);

/** A disc of radius 10 of label 1 in the middle of the second slice, label 2 to its right. */
function drawn(): Uint8Array {
  const mask = new Uint8Array(41 * 41 * 3);
  for (let j = 0; j < 41; j++) {
    for (let i = 0; i < 41; i++) {
      const inside = Math.hypot(i - 20, j - 20) <= 10;
      mask[i + 41 * (j + 41)] = inside ? 1 : i > 34 ? 2 : 0;
    }
  }
  return mask;
}

const begin = (x: number, y: number, brushMm = 5) => pushFrom(drawn(), 1, PLANE, SHAPE, 1, { x, y }, brushMm);

describe("pushing an outline", () => {
  test("begins outwards within the label and inwards outside of it", () => {
    expect(begin(20, 20)).toEqual({ inwards: false, radiusMm: 5 });
    expect(begin(3, 20)).toEqual({ inwards: true, radiusMm: 5 });
  });

  test("fits its disc to the side it begins on", () => {
    expect(begin(28, 20).radiusMm).toBeCloseTo(Math.sqrt(5), 4); // to (30, 21), the nearest voxel outside
    expect(begin(32, 20).radiusMm).toBeCloseTo(2, 4);
    expect(begin(60, 20).inwards).toBe(true);
  });

  test("changes nothing before it moves", () => {
    for (const at of [
      { x: 28, y: 20 },
      { x: 32.4, y: 19.7 },
      { x: 20, y: 12 },
      { x: 9, y: 20 },
    ]) {
      const mask = drawn();
      const push = pushFrom(mask, 1, PLANE, SHAPE, 1, at, 5);
      sweepBrush(PLANE, SHAPE, SPACING, 1, at, at, { radiusMm: push.radiusMm, ball: false }, (index) => expect(mask[index] !== 1).toBe(push.inwards));
    }
  });

  test("moves the outline as far as the disc goes, on its slice alone", () => {
    const push = begin(25, 20);
    const reached = new Set<number>();
    sweepBrush(PLANE, SHAPE, SPACING, 1, { x: 25, y: 20 }, { x: 29, y: 20 }, { radiusMm: push.radiusMm, ball: false }, (index) => reached.add(index));
    const row = [...reached].filter((index) => index >= 41 * (20 + 41) && index < 41 * (21 + 41)).map((index) => index % 41);
    expect(Math.max(...row)).toBe(34);
    expect([...reached].every((index) => Math.floor(index / (41 * 41)) === 1)).toBe(true);
  });
});
