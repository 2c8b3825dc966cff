/** The surfaces of a mask's labels in millimetres: each label's own box, made coarser where it is too large to show, as a closed mesh. */
import type { Region, Triple } from "../api/types";
import { smoothMesh, surfaceNets, trianglesOf } from "./nets";

export interface Surface {
  label: number;
  /** World millimetres of each vertex: x to the right, y anterior, z superior. */
  positions: Float32Array;
  /** Of each vertex, length 1, outwards. */
  normals: Float32Array;
  triangles: Uint32Array;
  /** Voxels per sample along each axis; 1 shows every voxel. */
  factors: Triple;
}

export interface SurfaceRequest {
  mask: Uint8Array;
  shape: Triple;
  affine: number[][];
  /** Values that overlapping labels share, and the labels. */
  shared?: Readonly<Record<number, readonly number[]>>;
}

/** The surfaces of all labels, each with what it shares with others. */
export function* surfacesOf(request: SurfaceRequest): Generator<Surface> {
  const shared = Object.entries(request.shared ?? {});
  const boxes = boxesOf(request.mask, request.shape);
  const labels = new Set([...boxes.keys()].flatMap((value) => request.shared?.[value] ?? [value]));
  for (const label of labels) {
    const own = new Set(shared.filter(([, of]) => of.includes(label)).map(([value]) => Number(value)));
    if (own.size === 0) yield surfaceOf(request, label, boxes.get(label)!);
    else {
      const mask = request.mask.map((value) => (own.has(value) ? label : value));
      yield surfaceOf({ ...request, mask }, label, boxesOf(mask, request.shape).get(label)!);
    }
  }
}

/** Samples of one label at most: about 6 MB, and a mesh that every machine turns. */
export const MOST_SAMPLES = 6_000_000;

/** The box of each label, from one look at the mask. */
export function boxesOf(mask: Uint8Array, [nx, ny, nz]: Triple): Map<number, Region> {
  const boxes = new Map<number, Region>();
  for (let k = 0, index = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++, index++) {
        const label = mask[index]!;
        if (label === 0) continue;
        const box = boxes.get(label);
        if (!box) boxes.set(label, { start: [i, j, k], stop: [i + 1, j + 1, k + 1] });
        else extend(box, i, j, k);
      }
    }
  }
  return boxes;
}

function extend({ start, stop }: Region, i: number, j: number, k: number): void {
  if (i < start[0]) start[0] = i;
  if (i >= stop[0]) stop[0] = i + 1;
  if (j < start[1]) start[1] = j;
  if (j >= stop[1]) stop[1] = j + 1;
  if (k >= stop[2]) stop[2] = k + 1;
}

/** One label's surface within its box. */
export function surfaceOf({ mask, shape, affine }: SurfaceRequest, label: number, box: Region, most = MOST_SAMPLES): Surface {
  const factors = factorsOf(box, affine, most);
  const size = factors.map((factor, axis) => Math.ceil((box.stop[axis]! - box.start[axis]!) / factor) + 2) as Triple;
  const mesh = surfaceNets(shares(mask, shape, label, box, factors, size), size);
  smoothMesh(mesh);
  const triangles = trianglesOf(mesh);
  toWorld(mesh.positions, box, factors, affine);
  if (determinant(affine) < 0) turnOver(triangles);
  return { label, positions: mesh.positions, normals: normalsOf(mesh.positions, triangles), triangles, factors };
}

/** As fine as the limit allows, the finest axes made coarser first. */
export function factorsOf({ start, stop }: Region, affine: number[][], most: number): Triple {
  const factors: Triple = [1, 1, 1];
  const steps = [0, 1, 2].map((axis) => Math.hypot(affine[0]![axis]!, affine[1]![axis]!, affine[2]![axis]!));
  const samples = (): number => factors.reduce((product, factor, axis) => product * (Math.ceil((stop[axis]! - start[axis]!) / factor) + 2), 1);
  while (samples() > most) {
    const finest = [0, 1, 2].reduce((best, axis) => (steps[axis]! * factors[axis]! < steps[best]! * factors[best]! ? axis : best), 0);
    factors[finest]!++;
  }
  return factors;
}

/** Which share of each sample's voxels has the label, 0 to 255; a border of zeros around them. */
function shares(mask: Uint8Array, [nx, ny]: Triple, label: number, { start, stop }: Region, [fx, fy, fz]: Triple, [sx, sy, sz]: Triple): Uint8Array {
  const counts = new Uint16Array(sx * sy * sz);
  for (let k = start[2]; k < stop[2]; k++) {
    const c = Math.floor((k - start[2]) / fz) + 1;
    for (let j = start[1]; j < stop[1]; j++) {
      const row = sx * (Math.floor((j - start[1]) / fy) + 1 + sy * c) + 1;
      const from = nx * (j + ny * k);
      for (let i = start[0]; i < stop[0]; i++) if (mask[from + i] === label) counts[row + Math.floor((i - start[0]) / fx)]!++;
    }
  }
  const samples = new Uint8Array(counts.length);
  for (let n = 0; n < counts.length; n++) samples[n] = Math.round((255 * counts[n]!) / (fx * fy * fz));
  return samples;
}

/** From samples to the middle of the voxels that they stand for, and into the world. */
function toWorld(positions: Float32Array, { start }: Region, factors: Triple, affine: number[][]): void {
  for (let n = 0; n < positions.length; n += 3) {
    const voxel = [0, 1, 2].map((axis) => start[axis]! + (positions[n + axis]! - 1) * factors[axis]! + (factors[axis]! - 1) / 2);
    for (let row = 0; row < 3; row++) {
      const [a, b, c, d] = affine[row]!;
      positions[n + row] = a! * voxel[0]! + b! * voxel[1]! + c! * voxel[2]! + d!;
    }
  }
}

export function determinant(affine: number[][]): number {
  const [a, b, c] = affine as [number[], number[], number[]];
  return a[0]! * (b[1]! * c[2]! - b[2]! * c[1]!) - a[1]! * (b[0]! * c[2]! - b[2]! * c[0]!) + a[2]! * (b[0]! * c[1]! - b[1]! * c[0]!);
}

function turnOver(triangles: Uint32Array): void {
  for (let n = 0; n < triangles.length; n += 3) [triangles[n + 1], triangles[n + 2]] = [triangles[n + 2]!, triangles[n + 1]!];
}

function normalsOf(positions: Float32Array, triangles: Uint32Array): Float32Array {
  const normals = new Float32Array(positions.length);
  const at = (vertex: number, axis: number): number => positions[3 * vertex + axis]!;
  for (let n = 0; n < triangles.length; n += 3) {
    const [p, q, r] = [triangles[n]!, triangles[n + 1]!, triangles[n + 2]!];
    const [ux, uy, uz] = [at(q, 0) - at(p, 0), at(q, 1) - at(p, 1), at(q, 2) - at(p, 2)];
    const [vx, vy, vz] = [at(r, 0) - at(p, 0), at(r, 1) - at(p, 1), at(r, 2) - at(p, 2)];
    for (const vertex of [p, q, r]) {
      normals[3 * vertex]! += uy * vz - uz * vy;
      normals[3 * vertex + 1]! += uz * vx - ux * vz;
      normals[3 * vertex + 2]! += ux * vy - uy * vx;
    }
  }
  for (let n = 0; n < normals.length; n += 3) {
    const size = Math.hypot(normals[n]!, normals[n + 1]!, normals[n + 2]!) || 1;
    for (let axis = 0; axis < 3; axis++) normals[n + axis]! /= size;
  }
  return normals;
}
