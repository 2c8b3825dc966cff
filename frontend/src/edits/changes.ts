/** What runs would do to a mask: which labels gain and lose how many voxels, and how one slice would look. */
import type { PlaneHeader, Run, Triple } from "../api/types";
import { type Slice, voxelOfIndex } from "../geometry/plane";

export interface LabelChange {
  label: number;
  gained: number;
  lost: number;
}

/** How many voxels change, and what of each label. */
export interface Changes {
  voxels: number;
  labels: LabelChange[];
}

export function changesOf(mask: Uint8Array, runs: readonly Run[]): Changes {
  const tally = new Tally();
  for (const [start, length, value] of runs) for (let index = start; index < start + length; index++) tally.count(mask[index]!, value);
  return tally.changes;
}

/** The same between two masks. */
export function changesBetween(before: Uint8Array, after: Uint8Array): Changes {
  const tally = new Tally();
  for (let index = 0; index < after.length; index++) tally.count(before[index]!, after[index]!);
  return tally.changes;
}

class Tally {
  private readonly gained = new Int32Array(256);
  private readonly lost = new Int32Array(256);
  private voxels = 0;

  count(from: number, to: number): void {
    if (from === to) return;
    this.voxels++;
    this.gained[to]!++;
    this.lost[from]!++;
  }

  get changes(): Changes {
    const each = Array.from({ length: 255 }, (_, n) => ({ label: n + 1, gained: this.gained[n + 1]!, lost: this.lost[n + 1]! }));
    return { voxels: this.voxels, labels: each.filter((one) => one.gained + one.lost > 0) };
  }
}

/** A slice as runs would leave it, row by row as it is drawn, and what they take away in it; null where they change nothing there. */
export interface Ghost {
  after: Uint8Array;
  /** 1 where a label goes. */
  lost: Uint8Array;
  labels: ReadonlySet<number>;
}

export function ghostOf(mask: Uint8Array, runs: readonly Run[], slice: Slice, plane: PlaneHeader, shape: Triple): Ghost | null {
  const corner = voxelOfIndex(shape, slice.start);
  const labels = new Set<number>();
  let ghost: Ghost | null = null;
  visitShown(runs, corner, plane, shape, (index, voxel, value) => {
    if (mask[index] === value) return;
    ghost ??= { after: drawnSlice(mask, slice), lost: new Uint8Array(slice.width * slice.height), labels };
    const across = Math.abs(voxel[plane.x_axis]! - corner[plane.x_axis]!);
    const pixel = across + slice.width * Math.abs(voxel[plane.y_axis]! - corner[plane.y_axis]!);
    ghost.after[pixel] = value;
    ghost.lost[pixel] = mask[index] === 0 ? 0 : 1;
    labels.add(value).add(mask[index]!);
  });
  labels.delete(0);
  return ghost;
}

/** Visit the voxels of runs that lie in one slice, row by row of the file: of a large change nearly all lies elsewhere, and is not looked at. */
function visitShown(
  runs: readonly Run[],
  corner: Triple,
  { slice_axis: axis }: PlaneHeader,
  [nx, ny]: Triple,
  visit: (index: number, voxel: Triple, value: number) => void,
): void {
  const number = corner[axis]!;
  for (const [start, length, value] of runs) {
    const end = start + length;
    for (let index = start; index < end; ) {
      const row = Math.floor(index / nx);
      const [j, k] = [row % ny, Math.floor(row / ny)];
      if (axis === 2 && k > number) break;
      const next = axis === 2 && k < number ? number * nx * ny : (row + 1) * nx;
      const isShown = axis === 0 || (axis === 1 ? j : k) === number;
      const from = axis === 0 ? Math.max(index, row * nx + number) : index;
      const stop = isShown ? Math.min(end, axis === 0 ? row * nx + number + 1 : next) : 0;
      for (let at = from; at < stop; at++) visit(at, [at - row * nx, j, k], value);
      index = next;
    }
  }
}

function drawnSlice(mask: Uint8Array, { start, right, down, width, height }: Slice): Uint8Array {
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) pixels[y * width + x] = mask[start + x * right + y * down]!;
  return pixels;
}

/** What a run writes at a voxel, undefined where none does. */
export function written(runs: readonly Run[], index: number): number | undefined {
  return runs.find(([start, length]) => index >= start && index < start + length)?.[2];
}
