/**
 * Distances in millimetres on a grid whose voxels need not be cubes: exact squared Euclidean distances by lower envelopes of parabolas,
 * one axis after the other, and the ball-shaped steps that are made of them.
 *
 * Source: Felzenszwalb and Huttenlocher 2012, Distance transforms of sampled functions, doi:10.4086/toc.2012.v008a019, section 2.1.
 */
import type { Triple } from "../api/types";
import { strides } from "../geometry/plane";

/** Farther than any image is wide, and still exact beside small numbers. */
const FAR = 1e12;
/** What rounding may take from a distance that is exactly the radius. */
const SLACK = 1 + 1e-5;

/** Squared distance of each voxel's centre to the nearest voxel inside, in mm². */
export function squaredDistances(inside: Uint8Array, shape: Triple, spacing: Triple): Float32Array {
  const field = new Float32Array(inside.length);
  for (let n = 0; n < inside.length; n++) field[n] = inside[n] ? 0 : FAR;
  const step = strides(shape);
  const longest = Math.max(...shape);
  const room = { line: new Float64Array(longest), vertex: new Int32Array(longest), from: new Float64Array(longest + 1) };
  for (let axis = 0; axis < 3; axis++) {
    const [count, stride] = [shape[axis]!, step[axis]!];
    if (count === 1) continue;
    for (let start = 0; start < field.length; start++) {
      if (Math.floor(start / stride) % count === 0) envelope(field, start, stride, count, spacing[axis]!, room);
      else start += stride * (count - 1) - 1; // on to the next lines along this axis
    }
  }
  return field;
}

interface Room {
  line: Float64Array;
  vertex: Int32Array;
  from: Float64Array;
}

function envelope(field: Float32Array, start: number, stride: number, count: number, spacing: number, { line, vertex, from }: Room): void {
  const square = spacing * spacing;
  let top = -1;
  for (let q = 0; q < count; q++) {
    const height = field[start + q * stride]!;
    line[q] = height;
    if (height >= FAR) continue;
    let meets = Number.NEGATIVE_INFINITY;
    while (top >= 0) {
      const p = vertex[top]!;
      meets = (height - line[p]! + square * (q * q - p * p)) / (2 * square * (q - p));
      if (meets > from[top]!) break;
      top--;
    }
    if (top < 0) meets = Number.NEGATIVE_INFINITY;
    vertex[++top] = q;
    from[top] = meets;
  }
  if (top < 0) return;
  for (let q = 0, at = 0; q < count; q++) {
    while (at < top && from[at + 1]! < q) at++;
    const p = vertex[at]!;
    field[start + q * stride] = line[p]! + square * (q - p) ** 2;
  }
}

/** Slices worked on at once: a large volume's distances would not fit into memory. */
const SLAB = 32;

/** Work through a volume in slabs along K; each sees so many slices beyond its own as can matter. */
export function bySlabs(inside: Uint8Array, shape: Triple, reach: number, work: (part: Uint8Array, shape: Triple) => Uint8Array): Uint8Array {
  const [plane, result] = [shape[0] * shape[1], new Uint8Array(inside.length)];
  for (let first = 0; first < shape[2]; first += SLAB) {
    const last = Math.min(shape[2], first + SLAB);
    const [low, high] = [Math.max(0, first - reach), Math.min(shape[2], last + reach)];
    const part = work(inside.subarray(low * plane, high * plane), [shape[0], shape[1], high - low]);
    result.set(part.subarray((first - low) * plane, (last - low) * plane), first * plane);
  }
  return result;
}

/** What lies no farther than `mm` from what is inside. */
export function dilated(inside: Uint8Array, shape: Triple, spacing: Triple, mm: number): Uint8Array {
  return bySlabs(inside, shape, Math.ceil(mm / spacing[2]), (part, size) => {
    const distances = squaredDistances(part, size, spacing);
    return Uint8Array.from(distances, (square) => (square <= mm * mm * SLACK ? 1 : 0));
  });
}

/** What lies farther than `mm` from what is outside; beyond the image nothing is outside. */
export const eroded = (inside: Uint8Array, shape: Triple, spacing: Triple, mm: number): Uint8Array => inverted(dilated(inverted(inside), shape, spacing, mm));

const inverted = (inside: Uint8Array): Uint8Array => inside.map((is) => 1 - is);

/** Millimetres to the nearest voxel of the other side, negative inside. */
export function signedDistances(inside: Uint8Array, shape: Triple, spacing: Triple): Float32Array {
  const [to, within] = [squaredDistances(inside, shape, spacing), squaredDistances(inverted(inside), shape, spacing)];
  return to.map((square, n) => (inside[n] ? -Math.sqrt(within[n]!) : Math.sqrt(square)));
}
