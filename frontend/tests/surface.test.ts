import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { cross, dot } from "../src/geometry/measure";
import { boxesOf, factorsOf, type Surface, surfaceOf } from "../src/volume/surfaces";

const IDENTITY = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];
/** Turned in the plane, anisotropic, and slices that lean over. */
const OBLIQUE = [
  [0.6, -0.8, 0.3, 5],
  [0.8, 0.6, 0, -7],
  [0, 0, 2, 9],
];
const MIRRORED = [
  [-1, 0, 0, 30],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];

function maskOf(shape: Triple, inside: (i: number, j: number, k: number) => number): Uint8Array {
  const mask = new Uint8Array(shape[0] * shape[1] * shape[2]);
  for (let k = 0, n = 0; k < shape[2]; k++) for (let j = 0; j < shape[1]; j++) for (let i = 0; i < shape[0]; i++, n++) mask[n] = inside(i, j, k);
  return mask;
}

const ball =
  (radius: number, [x, y, z]: Triple, label = 1) =>
  (i: number, j: number, k: number): number =>
    Math.hypot(i - x, j - y, k - z) <= radius ? label : 0;

const made = (mask: Uint8Array, shape: Triple, affine = IDENTITY, label = 1, most?: number): Surface =>
  surfaceOf({ mask, shape, affine }, label, boxesOf(mask, shape).get(label)!, most);

const corners = ({ positions, triangles }: Surface, n: number): [Triple, Triple, Triple] =>
  [0, 1, 2].map((corner) => [0, 1, 2].map((axis) => positions[3 * triangles[n + corner]! + axis]!)) as [Triple, Triple, Triple];

const less = (a: Triple, b: Triple): Triple => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** By the divergence theorem; positive where faces look outwards. */
function volumeOf(surface: Surface): number {
  let volume = 0;
  for (let n = 0; n < surface.triangles.length; n += 3) {
    const [a, b, c] = corners(surface, n);
    volume += dot(a, cross(b, c)) / 6;
  }
  return volume;
}

function areaOf(surface: Surface): number {
  let area = 0;
  for (let n = 0; n < surface.triangles.length; n += 3) {
    const [a, b, c] = corners(surface, n);
    area += Math.hypot(...cross(less(b, a), less(c, a))) / 2;
  }
  return area;
}

/** How often each edge is walked one way and not back. */
function openEdges({ triangles }: Surface): number {
  const walked = new Map<string, number>();
  for (let n = 0; n < triangles.length; n += 3) {
    for (let corner = 0; corner < 3; corner++) {
      const [a, b] = [triangles[n + corner]!, triangles[n + ((corner + 1) % 3)]!];
      const [key, way] = a < b ? [`${a} ${b}`, 1] : [`${b} ${a}`, -1];
      walked.set(key, (walked.get(key) ?? 0) + way);
    }
  }
  return [...walked.values()].filter((times) => times !== 0).length;
}

describe("the surface of a label", () => {
  test("of a ball has its volume and its area, and is closed", () => {
    const surface = made(maskOf([40, 40, 40], ball(15, [19.5, 20, 20.3])), [40, 40, 40]);
    expect(volumeOf(surface) / ((4 / 3) * Math.PI * 15 ** 3)).toBeCloseTo(1, 1.5);
    expect(areaOf(surface) / (4 * Math.PI * 15 ** 2)).toBeGreaterThan(0.97);
    expect(areaOf(surface) / (4 * Math.PI * 15 ** 2)).toBeLessThan(1.03);
    expect(openEdges(surface)).toBe(0);
  });

  test("lies where the label lies, also in millimetres of an oblique grid", () => {
    const shape: Triple = [40, 40, 30];
    const mask = maskOf(shape, ball(11, [20, 18, 14]));
    const surface = made(mask, shape, OBLIQUE);
    const voxel = Math.abs(0.6 * 0.6 * 2 + 0.8 * 0.8 * 2);
    const voxels = mask.reduce((sum, value) => sum + value, 0);
    expect(volumeOf(surface) / (voxels * voxel)).toBeGreaterThan(0.97);
    expect(volumeOf(surface) / (voxels * voxel)).toBeLessThan(1.01);
    const count = surface.positions.length / 3;
    const middle = [0, 1, 2].map((axis) => surface.positions.filter((_, n) => n % 3 === axis).reduce((sum, value) => sum + value, 0) / count);
    const wanted = OBLIQUE.map(([a, b, c, d]) => a! * 20 + b! * 18 + c! * 14 + d!);
    middle.forEach((value, axis) => void expect(value).toBeCloseTo(wanted[axis]!, 0));
  });

  test("looks outwards also where an axis is mirrored", () => {
    const mask = maskOf([24, 24, 24], ball(8, [12, 12, 12]));
    expect(volumeOf(made(mask, [24, 24, 24], MIRRORED))).toBeGreaterThan(0);
    const { positions, normals } = made(mask, [24, 24, 24], MIRRORED);
    const outwards = Array.from(
      { length: positions.length / 3 },
      (_, n) => normals[3 * n]! * (positions[3 * n]! - 18) + normals[3 * n + 1]! * (positions[3 * n + 1]! - 12),
    );
    expect(outwards.filter((share) => share < -0.5)).toEqual([]);
  });

  test("is closed where the label reaches the image's border, is one voxel thick, or touches itself at an edge", () => {
    const shape: Triple = [6, 5, 4];
    for (const inside of [
      () => 1,
      (i: number) => Number(i === 2),
      (i: number, j: number, k: number) => Number(i === 2 && j === 2 && k === 2),
      (i: number, j: number) => Number(i < 3 === j < 2),
      (i: number, j: number, k: number) => ((i * 7 + j * 5 + k * 3 + i * j * k) % 3) >> 1,
    ]) {
      const surface = made(maskOf(shape, inside), shape);
      expect(surface.triangles.length).toBeGreaterThan(0);
      expect(openEdges(surface)).toBe(0);
    }
  });

  test("is made of the label alone, in its own box", () => {
    const shape: Triple = [30, 20, 20];
    const two = ball(6, [21, 10, 10], 2);
    const mask = maskOf(shape, (i, j, k) => ball(5, [7, 9, 9])(i, j, k) || two(i, j, k));
    expect([...boxesOf(mask, shape)]).toEqual([
      [1, { start: [2, 4, 4], stop: [13, 15, 15] }],
      [2, { start: [15, 4, 4], stop: [28, 17, 17] }],
    ]);
    const xs = made(mask, shape, IDENTITY, 2).positions.filter((_, n) => n % 3 === 0);
    expect(Math.min(...xs)).toBeGreaterThan(14);
    expect(Math.max(...xs)).toBeLessThan(28);
  });

  test("that is too large is made coarser, keeps its size and its place, and stays within the limit", () => {
    const shape: Triple = [60, 60, 60];
    const mask = maskOf(shape, ball(25, [30, 30, 30]));
    const surface = made(mask, shape, IDENTITY, 1, 12_000);
    expect(Math.max(...surface.factors)).toBeGreaterThan(1);
    expect(volumeOf(surface) / ((4 / 3) * Math.PI * 25 ** 3)).toBeCloseTo(1, 1.2);
    expect(openEdges(surface)).toBe(0);
    const { positions } = surface;
    for (const axis of [0, 1, 2]) {
      const along = positions.filter((_, n) => n % 3 === axis);
      expect((Math.min(...along) + Math.max(...along)) / 2).toBeCloseTo(30, 0);
    }
  });

  test("of a whole body of 512 × 512 × 400 is cut down to the limit, the finest axes first", () => {
    const affine = [
      [0.8, 0, 0, 0],
      [0, 0.8, 0, 0],
      [0, 0, 2, 0],
    ];
    const factors = factorsOf({ start: [0, 0, 0], stop: [512, 512, 400] }, affine, 6_000_000);
    expect((512 / factors[0] + 2) * (512 / factors[1] + 2) * (400 / factors[2] + 2)).toBeLessThan(6_000_000);
    expect(factors[2]).toBeLessThan(factors[0]);
  });
});
