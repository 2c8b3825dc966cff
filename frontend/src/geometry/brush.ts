/**
 * A round brush in millimetres. On a grid of 0.5 × 0.5 × 3 mm a disc of 6 mm is twelve pixels wide in one
 * plane and two in another; a ball reaches one slice to each side.
 */
import type { PlaneHeader, Triple } from "../api/types";
import type { Pixel, Slice } from "./plane";
import { sliceOf } from "./plane";

export interface Brush {
  radiusMm: number;
  /** Paint a ball through the neighbouring slices instead of a disc. */
  ball: boolean;
}

/**
 * Visit every voxel within the brush around the segment from one pointer position to the next.
 *
 * Args:
 *   from, to: Fractional pixels of the slice; whole numbers are pixel centres.
 *   number: The slice drawn on.
 *   visit: Receives the flat index of each voxel, each at most once per slice.
 */
export function sweepBrush(
  plane: PlaneHeader,
  shape: Triple,
  spacing: Triple,
  number: number,
  from: Pixel,
  to: Pixel,
  brush: Brush,
  visit: (index: number) => void,
): void {
  const through = spacing[plane.slice_axis]!;
  const reach = brush.ball ? Math.floor(brush.radiusMm / through) : 0;
  for (let offset = -reach; offset <= reach; offset++) {
    const z = number + offset;
    if (z < 0 || z >= shape[plane.slice_axis]!) continue;
    const radius = Math.sqrt(brush.radiusMm ** 2 - (offset * through) ** 2);
    sweepDisc(plane, sliceOf(plane, shape, z), from, to, radius, visit);
    if (offset === 0) for (const end of [from, to]) visitNearest(sliceOf(plane, shape, z), end, visit);
  }
}

function sweepDisc(plane: PlaneHeader, slice: Slice, from: Pixel, to: Pixel, radius: number, visit: (index: number) => void): void {
  const { x_spacing_mm: sx, y_spacing_mm: sy } = plane;
  const top = Math.max(0, Math.ceil(Math.min(from.y, to.y) - radius / sy));
  const bottom = Math.min(slice.height - 1, Math.floor(Math.max(from.y, to.y) + radius / sy));
  const left = Math.max(0, Math.ceil(Math.min(from.x, to.x) - radius / sx));
  const end = Math.min(slice.width - 1, Math.floor(Math.max(from.x, to.x) + radius / sx));
  const limit = radius * radius * (1 + 1e-9);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= end; x++) {
      if (squaredDistance((x - from.x) * sx, (y - from.y) * sy, (to.x - from.x) * sx, (to.y - from.y) * sy) <= limit) {
        visit(slice.start + x * slice.right + y * slice.down);
      }
    }
  }
}

/** Squared distance of a point to the segment from the origin to (dx, dy), all in mm. */
function squaredDistance(px: number, py: number, dx: number, dy: number): number {
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
  return (px - t * dx) ** 2 + (py - t * dy) ** 2;
}

/** A brush smaller than a pixel still paints the pixel under the pointer. */
function visitNearest(slice: Slice, at: Pixel, visit: (index: number) => void): void {
  const x = Math.round(at.x);
  const y = Math.round(at.y);
  if (x >= 0 && y >= 0 && x < slice.width && y < slice.height) visit(slice.start + x * slice.right + y * slice.down);
}
