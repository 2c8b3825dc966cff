import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { type Brush, sweepBrush } from "../src/geometry/brush";
import { voxelOfIndex } from "../src/geometry/plane";
import { planeOf } from "./scene";

const SHAPE: Triple = [41, 41, 21];

function painted(spacing: Triple, brush: Brush, from: [number, number], to = from, plane = planeOf(2, 0, 1, false, false, spacing)): Triple[] {
  const found = new Set<number>();
  const [a, b] = [
    { x: from[0], y: from[1] },
    { x: to[0], y: to[1] },
  ];
  sweepBrush(plane, SHAPE, spacing, 10, a, b, brush, (index) => found.add(index));
  return [...found].map((index) => voxelOfIndex(SHAPE, index));
}

const disc = (radiusMm: number): Brush => ({ radiusMm, ball: false });
const ball = (radiusMm: number): Brush => ({ radiusMm, ball: true });

describe("the brush", () => {
  test("paints exactly the pixels whose centres lie within its radius", () => {
    const cells = painted([1, 1, 1], disc(1), [20, 20])
      .map(([i, j]) => `${i},${j}`)
      .sort();
    expect(cells).toEqual(["19,20", "20,19", "20,20", "20,21", "21,20"]);
  });

  test("is a circle in millimetres: four times as many pixels along an axis four times as fine", () => {
    const cells = painted([0.5, 2, 1], disc(6), [20, 20]);
    const width = Math.max(...cells.map(([i]) => i)) - Math.min(...cells.map(([i]) => i));
    const height = Math.max(...cells.map(([, j]) => j)) - Math.min(...cells.map(([, j]) => j));
    expect([width, height]).toEqual([24, 6]);
    for (const [i, j] of cells) expect(Math.hypot((i - 20) * 0.5, (j - 20) * 2)).toBeLessThanOrEqual(6 + 1e-6);
  });

  test("covers about the area of its circle", () => {
    expect(painted([1, 1, 1], disc(12), [20, 20]).length / (Math.PI * 144)).toBeCloseTo(1, 1);
  });

  test("smaller than a pixel still paints the pixel under the pointer", () => {
    expect(painted([1, 1, 1], disc(0.1), [7.4, 8.6])).toEqual([[7, 9, 10]]);
  });

  test("leaves no gap between two pointer positions", () => {
    const cells = new Set(painted([1, 1, 1], disc(0.6), [2, 2], [30, 18]).map(([i]) => i));
    for (let i = 2; i <= 30; i++) expect(cells.has(i)).toBe(true);
  });

  test("stays inside the image at its border", () => {
    for (const [i, j] of painted([1, 1, 1], disc(5), [0, 40])) {
      expect(i).toBeGreaterThanOrEqual(0);
      expect(j).toBeLessThan(41);
    }
    expect(painted([1, 1, 1], disc(5), [-20, -20])).toEqual([]);
  });

  test("draws the same voxels through a flipped plane at the mirrored pixel", () => {
    const sort = (cells: Triple[]): string[] => cells.map(String).sort();
    const plain = painted([1, 1, 1], disc(3), [5, 9]);
    const flipped = painted([1, 1, 1], disc(3), [35, 31], [35, 31], planeOf(2, 0, 1, true, true));
    expect(sort(flipped)).toEqual(sort(plain));
  });

  test("as a ball reaches as many slices as millimetres allow", () => {
    const slices = new Set(painted([1, 1, 3], ball(6.5), [20, 20]).map(([, , k]) => k));
    expect([...slices].sort((a, b) => a - b)).toEqual([8, 9, 10, 11, 12]);
  });

  test("as a ball is round: every voxel lies within the radius", () => {
    for (const [i, j, k] of painted([1, 0.5, 3], ball(7), [20, 20])) {
      expect(Math.hypot(i - 20, (j - 20) * 0.5, (k - 10) * 3)).toBeLessThanOrEqual(7 + 1e-6);
    }
  });
});
