/**
 * Carries a label on from one drawn slice to the next ones: each outline is moved by what the slice itself shows. How the structure and
 * its surroundings look is learnt once, on the drawn slice, as two histograms; a pixel belongs to the next slice's label where the log of
 * their ratio, a little blurred, and its place in the outline before say so together.
 */
import type { Triple } from "../api/types";
import { strides } from "../geometry/plane";
import type { Voxels } from "../volume/volume";
import { signedDistances } from "./distance";
import { islandsOf } from "./islands";
import { blur } from "./smooth";

export interface CarryTerms {
  /** The axis across the slices, the drawn slice, and which way to go how far. */
  axis: number;
  source: number;
  step: 1 | -1;
  steps: number;
  /** Whether a voxel with this label may be passed, by label. */
  passes: Uint8Array;
}

const BINS = 32;
/** No look says more than this, in nats. */
const SURE = 3;
/** A structure that shrinks to less, or grows to more, from one slice to the next has ended, or runs into another one. */
const LEAST_SHARE = 0.3;
const MOST_SHARE = 2.5;

/** What follows in each slice after the drawn one, until the structure ends or a slice has the label already. */
export function carried(values: Voxels, mask: Uint8Array, shape: Triple, spacing: Triple, label: number, terms: CarryTerms): Map<number, Uint8Array> {
  const { axis, source, step, steps, passes } = terms;
  const [x, y] = [0, 1, 2].filter((n) => n !== axis) as [number, number];
  const [flat, mm]: [Triple, Triple] = [
    [shape[x]!, shape[y]!, 1],
    [spacing[x]!, spacing[y]!, 1],
  ];
  const places = (n: number): Int32Array => placesIn(shape, axis, x, y, n);
  const drawn = places(source);
  let before: Uint8Array = Uint8Array.from(drawn, (at) => (mask[at] === label ? 1 : 0));
  const reachMm = Math.max(2 * Math.min(mm[0], mm[1]), spacing[axis]!);
  const looks = looksOf(
    Array.from(drawn, (at) => values[at]!),
    signedDistances(before, flat, mm),
    3 * reachMm,
  );
  const found = new Map<number, Uint8Array>();
  for (let n = source + step, left = steps; left > 0 && n >= 0 && n < shape[axis]!; n += step, left--) {
    const here = places(n);
    if (here.some((at) => mask[at] === label)) break;
    const distances = signedDistances(before, flat, mm);
    const evidence = blur(
      Float32Array.from(here, (at) => looks(values[at]!)),
      flat,
      mm,
      Math.min(mm[0], mm[1]),
    );
    const next = Uint8Array.from(here, (at, pixel) => {
      const moved = distances[pixel]! / reachMm;
      return moved <= 1 && passes[mask[at]!] && evidence[pixel]! - Math.max(-1, moved) > 0 ? 1 : 0;
    });
    const joined = overlapping(next, before, flat);
    const share = sum(joined) / sum(before);
    if (share < LEAST_SHARE || share > MOST_SHARE) break;
    found.set(n, joined);
    before = joined;
  }
  return found;
}

/** Flat places of a slice's pixels, one row after the other. */
export function placesIn(shape: Triple, axis: number, x: number, y: number, n: number): Int32Array {
  const step = strides(shape);
  const width = shape[x]!;
  return Int32Array.from({ length: width * shape[y]! }, (_, at) => n * step[axis]! + (at % width) * step[x]! + Math.floor(at / width) * step[y]!);
}

/** How much more often a value occurs inside than in a ring around, as a log ratio. */
function looksOf(values: readonly number[], distances: Float32Array, ringMm: number): (value: number) => number {
  const [inside, around] = [values.filter((_, n) => distances[n]! < 0), values.filter((_, n) => distances[n]! > 0 && distances[n]! <= ringMm)];
  const known = [...inside, ...around].filter(Number.isFinite);
  const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const binOf = (value: number): number => Math.min(BINS - 1, Math.max(0, Math.floor(((value - low) / (high - low || 1)) * BINS)));
  const shares = (part: readonly number[]): Float32Array => {
    const counts = new Float32Array(BINS);
    for (const value of part) if (Number.isFinite(value)) counts[binOf(value)]!++;
    return blur(counts, [BINS, 1, 1], [1, 1, 1], 1).map((count) => (count + 0.5) / (part.length + BINS / 2));
  };
  const [own, other] = [shares(inside), shares(around)];
  const ratios = own.map((share, bin) => Math.min(SURE, Math.max(-SURE, Math.log(share / other[bin]!))));
  return (value) => (Number.isFinite(value) ? ratios[binOf(value)]! : -SURE);
}

/** The islands that touch the outline of the slice before. */
function overlapping(next: Uint8Array, before: Uint8Array, shape: Triple): Uint8Array {
  const { of } = islandsOf(next, shape);
  const touched = new Set(of.filter((_, pixel) => before[pixel]));
  return Uint8Array.from(of, (island) => (island > 0 && touched.has(island) ? 1 : 0));
}

const sum = (inside: Uint8Array): number => inside.reduce((total, is) => total + is, 0);
