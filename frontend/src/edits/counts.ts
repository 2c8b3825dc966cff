/** How many voxels each label has: kept by what changes, so that a stroke in a large volume costs no look at the whole. */
import type { Run, Triple } from "../api/types";

export class LabelCounts {
  private counts: Int32Array;

  private readonly voxels: number;

  constructor(mask: Uint8Array) {
    this.voxels = mask.length;
    this.counts = counted(mask);
  }

  of(label: number): number {
    return this.counts[label]!;
  }

  /** Whether no voxel has a label: kept, so that nothing is looked through while somebody waits for the next case. */
  get empty(): boolean {
    return this.counts[0] === this.voxels;
  }

  /** Another mask altogether. */
  restart(mask: Uint8Array): void {
    this.counts = counted(mask);
  }

  /** These voxels had the values of `before` and have those of `after`. */
  move(before: readonly Run[], after: readonly Run[]): void {
    for (const [, length, value] of before) this.counts[value]! -= length;
    for (const [, length, value] of after) this.counts[value]! += length;
  }
}

function counted(mask: Uint8Array): Int32Array {
  const counts = new Int32Array(256);
  for (const value of mask) counts[value]!++;
  return counts;
}

/** Whether a slice holds any label. */
export function holdsLabel(mask: Uint8Array, [columns, rows, slices]: Triple, axis: number, index: number): boolean {
  const steps = [1, columns, columns * rows];
  const counts = [columns, rows, slices];
  const [across, along] = [0, 1, 2].filter((one) => one !== axis) as [number, number];
  for (let b = 0, row = index * steps[axis]!; b < counts[along]!; b++, row += steps[along]!)
    for (let a = 0, at = row; a < counts[across]!; a++, at += steps[across]!) if (mask[at] !== 0) return true;
  return false;
}
