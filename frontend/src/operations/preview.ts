/** What a list of changes would do: how one slice would look, and how much changes. */
import type { PlaneHeader, Run, Triple } from "../api/types";
import type { Edit } from "../edits/runs";
import { pixelOfVoxel, type Slice, strides } from "../geometry/plane";

/** A slice by itself: `labels` as they would be, and which pixels change; rows from the top as drawn. */
export interface SlicePreview {
  labels: Uint8Array;
  changed: Uint8Array;
}

export function sliceAfter(mask: Uint8Array, runs: readonly Run[], shape: Triple, plane: PlaneHeader, slice: Slice): SlicePreview {
  const { width, height, start, right, down } = slice;
  const [labels, changed] = [new Uint8Array(width * height), new Uint8Array(width * height)];
  for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at++) labels[at] = mask[start + x * right + y * down]!;
  const axis = plane.slice_axis;
  const number = Math.floor(start / strides(shape)[axis]!) % shape[axis]!;
  const put = (i: number, j: number, k: number, value: number): void => {
    const { x, y } = pixelOfVoxel(plane, shape, [i, j, k]);
    labels[y * width + x] = value;
    changed[y * width + x] = 1;
  };
  for (const [first, length, value] of runs) {
    for (let from = first; from < first + length; ) {
      const i = from % shape[0];
      const j = Math.floor(from / shape[0]) % shape[1];
      const k = Math.floor(from / (shape[0] * shape[1]));
      const end = Math.min(i + first + length - from, shape[0]);
      if (axis === 0 && i <= number && number < end) put(number, j, k, value);
      else if ((axis === 1 && j === number) || (axis === 2 && k === number)) for (let n = i; n < end; n++) put(n, j, k, value);
      from += end - i;
    }
  }
  return { labels, changed };
}

/** Voxels that come to a label and voxels that leave it, and all that change. */
export function amountsOf({ forward, inverse }: Edit, label: number): { gained: number; lost: number; changed: number } {
  const total = (runs: readonly Run[], of?: number): number =>
    runs.reduce((sum, [, length, value]) => sum + (of === undefined || value === of ? length : 0), 0);
  return { gained: total(forward, label), lost: total(inverse, label), changed: total(forward) };
}
