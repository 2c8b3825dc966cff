/**
 * Where a voxel is drawn. A plane is drawn strictly by the header: one voxel axis to the right, one
 * downwards, each perhaps from its far end. Nothing here flips data; a slice is a walk with signed strides.
 */
import type { PlaneHeader, Triple } from "../api/types";

export interface Slice {
  /** Flat index (I fastest) of the voxel drawn at pixel (0, 0). */
  start: number;
  /** Flat index steps for one drawn pixel to the right and downwards; negative on a flipped axis. */
  right: number;
  down: number;
  width: number;
  height: number;
}

export interface Pixel {
  x: number;
  y: number;
}

export const strides = (shape: Triple): Triple => [1, shape[0], shape[0] * shape[1]];
export const voxelCount = (shape: Triple): number => shape[0] * shape[1] * shape[2];
export const flatIndex = (shape: Triple, v: Triple): number => v[0] + shape[0] * (v[1] + shape[1] * v[2]);

export function voxelOfIndex(shape: Triple, index: number): Triple {
  const plane = shape[0] * shape[1];
  return [index % shape[0], Math.floor((index % plane) / shape[0]), Math.floor(index / plane)];
}

export function sliceOf(plane: PlaneHeader, shape: Triple, number: number): Slice {
  const step = strides(shape);
  const width = shape[plane.x_axis]!;
  const height = shape[plane.y_axis]!;
  const right = step[plane.x_axis]!;
  const down = step[plane.y_axis]!;
  const start = number * step[plane.slice_axis]! + (plane.x_flip ? (width - 1) * right : 0) + (plane.y_flip ? (height - 1) * down : 0);
  return { start, right: plane.x_flip ? -right : right, down: plane.y_flip ? -down : down, width, height };
}

/** The drawn pixel of a voxel; fractional voxels give fractional pixels. Pixel centres are whole numbers. */
export function pixelOfVoxel(plane: PlaneHeader, shape: Triple, voxel: Triple): Pixel {
  const x = voxel[plane.x_axis]!;
  const y = voxel[plane.y_axis]!;
  return { x: plane.x_flip ? shape[plane.x_axis]! - 1 - x : x, y: plane.y_flip ? shape[plane.y_axis]! - 1 - y : y };
}

/** The voxel drawn at a pixel of one slice. Inverse of `pixelOfVoxel`. */
export function voxelOfPixel(plane: PlaneHeader, shape: Triple, pixel: Pixel, number: number): Triple {
  const voxel: Triple = [0, 0, 0];
  voxel[plane.slice_axis] = number;
  voxel[plane.x_axis] = plane.x_flip ? shape[plane.x_axis]! - 1 - pixel.x : pixel.x;
  voxel[plane.y_axis] = plane.y_flip ? shape[plane.y_axis]! - 1 - pixel.y : pixel.y;
  return voxel;
}

export function clampVoxel(shape: Triple, voxel: Triple): Triple {
  return voxel.map((v, axis) => Math.min(shape[axis]! - 1, Math.max(0, Math.round(v)))) as Triple;
}

export function centreOf(shape: Triple): Triple {
  return shape.map((n) => Math.floor(n / 2)) as Triple;
}

const THROUGH: Record<PlaneHeader["name"], number> = { axial: 2, coronal: 1, sagittal: 0 };

/** +1 or -1: the slice step that moves towards the feet, the back or the patient's left (a wheel turned down). */
export function stepOfWheelDown(plane: PlaneHeader, affine: number[][]): 1 | -1 {
  return affine[THROUGH[plane.name]]![plane.slice_axis]! > 0 ? -1 : 1;
}

/** The plane that deserves the large pane: the one cut across the coarsest axis, axial when none is. */
export function mainPlane(planes: PlaneHeader[], spacing: Triple): number {
  let best = 0;
  planes.forEach((plane, index) => {
    if (spacing[plane.slice_axis]! > spacing[planes[best]!.slice_axis]! * 1.2) best = index;
  });
  return best;
}
