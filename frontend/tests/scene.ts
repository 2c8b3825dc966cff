/** Small grids for the tests, and a plane with every flip written out. */
import type { PlaneHeader, Triple } from "../src/api/types";

export const SHAPE: Triple = [4, 5, 6];

export function planeOf(sliceAxis: number, xAxis: number, yAxis: number, xFlip: boolean, yFlip: boolean, spacing: Triple = [1, 1, 1]): PlaneHeader {
  return {
    name: "axial",
    slice_axis: sliceAxis,
    x_axis: xAxis,
    y_axis: yAxis,
    x_flip: xFlip,
    y_flip: yFlip,
    x_spacing_mm: spacing[xAxis]!,
    y_spacing_mm: spacing[yAxis]!,
    edges: ["R", "L", "A", "P"],
  };
}

/** All 24 ways to draw a grid: six axis orders, each with four flips. */
export const EVERY_PLANE: PlaneHeader[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
].flatMap(([s, x, y]) => [false, true].flatMap((xf) => [false, true].map((yf) => planeOf(s!, x!, y!, xf, yf))));
