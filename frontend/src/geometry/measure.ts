/**
 * Lengths, angles and regions by the affine, so that oblique, anisotropic and sheared grids come out right. Points are voxel
 * coordinates, whole numbers at voxel centres. The server computes what is kept by the same rules (`medloop.metrics.caliper`).
 */
import type { CaseHeader, Measurement, Triple } from "../api/types";

export type MeasurementKind = Measurement["kind"];

/** How many points each kind has. */
export const POINTS: Readonly<Record<MeasurementKind, number>> = { length: 2, angle: 3, ellipse: 2, rectangle: 2, label: 0 };

/** The affine's upper part and the unit of lengths, voxels where no size is known. */
export interface Scale {
  affine: readonly (readonly number[])[];
  unit: "mm" | "px";
}

const IDENTITY: Scale = {
  affine: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  unit: "px",
};

/** In slices across an axis; those across K need no distance between slices. */
export function scaleOf({ affine, sized, spaced }: Pick<CaseHeader, "affine" | "sized" | "spaced">, axis: number): Scale {
  return (axis === 2 ? sized : spaced) ? { affine, unit: "mm" } : IDENTITY;
}

/** A step between two places of the grid, in the unit of the affine. */
export function stepOf({ affine }: Scale, from: Triple, to: Triple): Triple {
  const voxels = to.map((value, axis) => value - from[axis]!);
  return [0, 1, 2].map((row) => affine[row]![0]! * voxels[0]! + affine[row]![1]! * voxels[1]! + affine[row]![2]! * voxels[2]!) as Triple;
}

export const cross = (a: Triple, b: Triple): Triple => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const norm = (a: Triple): number => Math.hypot(a[0], a[1], a[2]);

export const lengthOf = (points: readonly Triple[], scale: Scale): number => norm(stepOf(scale, points[0]!, points[1]!));

/** Degrees at the second of three points; NaN where a leg has no length. */
export function angleOf(points: readonly Triple[], scale: Scale): number {
  const [a, b] = [stepOf(scale, points[1]!, points[0]!), stepOf(scale, points[1]!, points[2]!)];
  if (norm(a) === 0 || norm(b) === 0) return Number.NaN;
  return (Math.atan2(norm(cross(a, b)), dot(a, b)) * 180) / Math.PI;
}

export const planeAxes = (axis: number): [number, number] => [0, 1, 2].filter((other) => other !== axis) as [number, number];

const columnOf = ({ affine }: Scale, axis: number): Triple => [affine[0]![axis]!, affine[1]![axis]!, affine[2]![axis]!];

/** Of one voxel in a slice across an axis: of the parallelogram that its axes span. */
export function pixelArea(axis: number, scale: Scale): number {
  const [first, second] = planeAxes(axis);
  return norm(cross(columnOf(scale, first), columnOf(scale, second)));
}

/** How far apart neighbouring slices across an axis lie, at right angles to them. */
export function sliceDistance(axis: number, scale: Scale): number {
  const [first, second] = planeAxes(axis);
  const normal = cross(columnOf(scale, first), columnOf(scale, second));
  return Math.abs(dot(normal, columnOf(scale, axis))) / norm(normal);
}

type RegionShape = "ellipse" | "rectangle";

export function regionArea(shape: RegionShape, points: readonly Triple[], axis: number, scale: Scale): number {
  const [first, second] = planeAxes(axis);
  const [wide, high] = [first, second].map((a) => Math.abs(points[1]![a]! - points[0]![a]!));
  return wide! * high! * (shape === "ellipse" ? Math.PI / 4 : 1) * pixelArea(axis, scale);
}

/** A voxel's centre on the outline is inside, whatever rounding makes of it. */
const ON_THE_LINE = 1e-9;

/** Whether a pixel (of the slice's two axes, in order) has its centre within a region. */
export function regionTest(shape: RegionShape, points: readonly Triple[], axis: number): (u: number, v: number) => boolean {
  const [first, second] = planeAxes(axis).map((a) => ({
    middle: (points[0]![a]! + points[1]![a]!) / 2,
    half: Math.abs(points[1]![a]! - points[0]![a]!) / 2,
  }));
  return (u, v) => {
    const [a, b] = [Math.abs(u - first!.middle) / first!.half, Math.abs(v - second!.middle) / second!.half];
    return (shape === "ellipse" ? Math.hypot(a, b) : Math.max(a, b)) <= 1 + ON_THE_LINE;
  };
}
