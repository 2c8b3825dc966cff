/** Floods from a seed through neighbouring voxels whose values lie within a range. */
import type { Triple } from "../api/types";
import { flatIndex } from "../geometry/plane";
import type { Voxels } from "../volume/volume";

export interface Range {
  low: number;
  high: number;
}

/** Both ends belong to a range; a value that is not a number never does. */
export const within = (value: number, { low, high }: Range): boolean => value >= low && value <= high;

export interface FloodTerms {
  range: Range;
  seed: Triple;
  /** How far from the seed a voxel's centre may lie. */
  limitMm: number;
  /** Whether a voxel with this label may be passed, by label. */
  passes: Uint8Array;
}

/** Which voxels of a block are reached over faces (in one slice: edges) from the seed. */
export function flooded(values: Voxels, mask: Uint8Array, shape: Triple, spacing: Triple, { range, seed, limitMm, passes }: FloodTerms): Uint8Array {
  const reached = new Uint8Array(mask.length);
  const limit = limitMm * limitMm * (1 + 1e-9);
  const steps = [1, shape[0], shape[0] * shape[1]] as const;
  const mm2 = (axis: number, n: number): number => ((n - seed[axis]!) * spacing[axis]!) ** 2;
  const stack: number[] = [];
  const reach = (index: number, i: number, j: number, k: number): void => {
    if (reached[index] || !passes[mask[index]!] || !within(values[index]!, range) || mm2(0, i) + mm2(1, j) + mm2(2, k) > limit) return;
    reached[index] = 1;
    stack.push(index);
  };
  reach(flatIndex(shape, seed), ...seed);
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const i = index % shape[0];
    const j = Math.floor(index / steps[1]) % shape[1];
    const k = Math.floor(index / steps[2]);
    if (i > 0) reach(index - 1, i - 1, j, k);
    if (i + 1 < shape[0]) reach(index + 1, i + 1, j, k);
    if (j > 0) reach(index - steps[1], i, j - 1, k);
    if (j + 1 < shape[1]) reach(index + steps[1], i, j + 1, k);
    if (k > 0) reach(index - steps[2], i, j, k - 1);
    if (k + 1 < shape[2]) reach(index + steps[2], i, j, k + 1);
  }
  return reached;
}
