/** Where a 3D view is looked at from. World axes are RAS+: x to the patient's right, y anterior, z superior. */
import type { Triple } from "../api/types";
import { cross, dot, norm } from "./measure";
import type { Pixel } from "./plane";

export interface Camera {
  /** World directions of the screen's right and up, and towards the viewer; at right angles, length 1. */
  right: Triple;
  up: Triple;
  towards: Triple;
  /** What is in the middle of the screen, in mm. */
  target: Triple;
  /** Points of the screen per mm: nothing gets smaller with distance, so that sizes compare. */
  perMm: number;
}

/** Where the viewer stands: towards them, and what is up. */
const SIDES = {
  A: { towards: [0, 1, 0], up: [0, 0, 1] },
  P: { towards: [0, -1, 0], up: [0, 0, 1] },
  L: { towards: [-1, 0, 0], up: [0, 0, 1] },
  R: { towards: [1, 0, 0], up: [0, 0, 1] },
  S: { towards: [0, 0, 1], up: [0, 1, 0] },
  I: { towards: [0, 0, -1], up: [0, 1, 0] },
} as const satisfies Record<string, { towards: Triple; up: Triple }>;

export type Side = keyof typeof SIDES;
export const SIDE_NAMES: Readonly<Record<Side, string>> = { A: "front", P: "back", L: "left", R: "right", S: "above", I: "below" };

export function seenFrom(side: Side, camera: Camera): Camera {
  const [towards, up]: Triple[] = [[...SIDES[side].towards], [...SIDES[side].up]];
  return { ...camera, towards: towards!, up: up!, right: cross(up!, towards!) };
}

/** Everything between two corners of the world, from the front. */
export function fitted(low: Triple, high: Triple, width: number, height: number): Camera {
  const target = low.map((value, axis) => (value + high[axis]!) / 2) as Triple;
  const size = norm(high.map((value, axis) => value - low[axis]!) as Triple) || 1;
  return seenFrom("A", { right: [1, 0, 0], up: [0, 0, 1], towards: [0, 1, 0], target, perMm: (0.9 * Math.min(width, height)) / size });
}

/** Turn what is seen by angles (radians) about the screen's vertical and horizontal axis, as if it were held. */
export function orbit(camera: Camera, across: number, down: number): Camera {
  const right = turned(camera.right, camera.up, -across);
  const towards = turned(camera.towards, camera.up, -across);
  return { ...camera, right, up: unit(turned(camera.up, right, -down)), towards: unit(turned(towards, right, -down)) };
}

/** Rodrigues' rotation about an axis of length 1. */
function turned(vector: Triple, axis: Triple, angle: number): Triple {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const side = cross(axis, vector);
  const along = dot(axis, vector) * (1 - cos);
  return vector.map((value, n) => value * cos + side[n]! * sin + axis[n]! * along) as Triple;
}

const unit = (vector: Triple): Triple => vector.map((value) => value / norm(vector)) as Triple;

export function shift(camera: Camera, dx: number, dy: number): Camera {
  const target = camera.target.map((value, n) => value - (dx * camera.right[n]! - dy * camera.up[n]!) / camera.perMm) as Triple;
  return { ...camera, target };
}

export const zoomed = (camera: Camera, factor: number): Camera => ({ ...camera, perMm: Math.min(500, Math.max(0.02, camera.perMm * factor)) });

/** Where a place of the world is on a screen, and how near to the viewer, in mm. */
export function onScreen({ right, up, towards, target, perMm }: Camera, place: Triple, width: number, height: number): Pixel & { near: number } {
  const from = place.map((value, n) => value - target[n]!) as Triple;
  return { x: width / 2 + dot(from, right) * perMm, y: height / 2 - dot(from, up) * perMm, near: dot(from, towards) };
}

export interface Triangles {
  positions: Float32Array;
  triangles: Uint32Array;
}

/** The place of the nearest surface under a point of the screen; null beside all. */
export function placeUnder(camera: Camera, at: Pixel, width: number, height: number, surfaces: readonly Triangles[]): Triple | null {
  let near = Number.NEGATIVE_INFINITY;
  for (const { positions, triangles } of surfaces) {
    const flat = new Float64Array(positions.length);
    for (let n = 0; n < positions.length; n += 3) {
      const { x, y, near: depth } = onScreen(camera, [positions[n]!, positions[n + 1]!, positions[n + 2]!], width, height);
      flat.set([x - at.x, y - at.y, depth], n);
    }
    for (let n = 0; n < triangles.length; n += 3) {
      near = Math.max(near, depthAtOrigin(flat, 3 * triangles[n]!, 3 * triangles[n + 1]!, 3 * triangles[n + 2]!));
    }
  }
  return Number.isFinite(near) ? backInWorld(camera, at, near, width, height) : null;
}

/** How near a triangle is where it covers the origin; −∞ where it does not. */
function depthAtOrigin(flat: Float64Array, a: number, b: number, c: number): number {
  const [ax, ay, bx, by, cx, cy] = [flat[a]!, flat[a + 1]!, flat[b]!, flat[b + 1]!, flat[c]!, flat[c + 1]!];
  const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
  if (area === 0) return Number.NEGATIVE_INFINITY;
  const [u, v] = [(bx * cy - cx * by) / area, (cx * ay - ax * cy) / area];
  if (u < 0 || v < 0 || u + v > 1) return Number.NEGATIVE_INFINITY;
  return u * flat[a + 2]! + v * flat[b + 2]! + (1 - u - v) * flat[c + 2]!;
}

function backInWorld({ right, up, towards, target, perMm }: Camera, at: Pixel, near: number, width: number, height: number): Triple {
  const [across, above] = [(at.x - width / 2) / perMm, (height / 2 - at.y) / perMm];
  return target.map((value, n) => value + across * right[n]! + above * up[n]! + near * towards[n]!) as Triple;
}

/** The voxel at a place of the world, fractional: the inverse of the affine. */
export function voxelAt(affine: readonly (readonly number[])[], place: Triple): Triple {
  const column = (n: number): Triple => [affine[0]![n]!, affine[1]![n]!, affine[2]![n]!];
  const [a, b, c] = [column(0), column(1), column(2)];
  const from = place.map((value, n) => value - affine[n]![3]!) as Triple;
  const volume = dot(a, cross(b, c));
  return [dot(from, cross(b, c)) / volume, dot(from, cross(c, a)) / volume, dot(from, cross(a, b)) / volume];
}

export const placeOf = (affine: readonly (readonly number[])[], voxel: Triple): Triple =>
  [0, 1, 2].map((row) => affine[row]![0]! * voxel[0] + affine[row]![1]! * voxel[1] + affine[row]![2]! * voxel[2] + affine[row]![3]!) as Triple;
