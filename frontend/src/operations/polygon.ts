/** Outlines drawn on one slice, and the voxels whose centres they enclose. */
import type { Pixel, Slice } from "../geometry/plane";
import { RunList } from "./block";

/** Where it crosses itself, the even-odd rule says what is inside. */
export interface Ring {
  points: readonly Pixel[];
  /** Takes the label away instead: cuts a piece off, or a hole into a ring drawn before. */
  subtract: boolean;
}

/** Visit each pixel of a picture whose centre a ring encloses; a centre on a left or upper edge is inside, on a right or lower edge outside. */
export function visitInside(points: readonly Pixel[], width: number, height: number, visit: (x: number, y: number) => void): void {
  const ys = points.map(({ y }) => y);
  const top = Math.max(0, Math.ceil(Math.min(...ys)));
  const bottom = Math.min(height - 1, Math.floor(Math.max(...ys)));
  for (let y = top; y <= bottom; y++) {
    const crossings = crossingsOf(points, y);
    for (let n = 0; n + 1 < crossings.length; n += 2) {
      const end = Math.min(width, Math.ceil(crossings[n + 1]!));
      for (let x = Math.max(0, Math.ceil(crossings[n]!)); x < end; x++) visit(x, y);
    }
  }
}

function crossingsOf(points: readonly Pixel[], y: number): number[] {
  const found: number[] = [];
  points.forEach((a, n) => {
    const b = points[(n + 1) % points.length]!;
    if (a.y <= y !== b.y <= y) found.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  });
  return found.sort((a, b) => a - b);
}

/** What rings make of a slice, one after the other, as runs of the whole volume. */
export function ringRuns(rings: readonly Ring[], slice: Slice, label: number): Int32Array {
  const { start, right, down, width, height } = slice;
  const wanted = new Map<number, number>();
  for (const { points, subtract } of rings) {
    visitInside(points, width, height, (x, y) => wanted.set(start + x * right + y * down, subtract ? 0 : label));
  }
  const runs = new RunList();
  for (const index of Int32Array.from(wanted.keys()).sort()) runs.add(index, 1, wanted.get(index)!);
  return runs.numbers;
}

/** A drawn line without the points that say nothing new: none nearer to the last one than a quarter of a pixel. */
export function thinned(points: readonly Pixel[]): Pixel[] {
  const kept: Pixel[] = [];
  for (const point of points) {
    const last = kept.at(-1);
    if (!last || Math.hypot(point.x - last.x, point.y - last.y) >= 0.25) kept.push(point);
  }
  return kept;
}
