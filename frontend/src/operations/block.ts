/** Boxes cut out of a volume, and lists of changes: what every operation begins with and ends in. I runs fastest, as in the whole. */
import type { Region, Run, Triple } from "../api/types";
import { flatIndex, voxelCount } from "../geometry/plane";
import type { Voxels } from "../volume/volume";

export const extentOf = ({ start, stop }: Region): Triple => stop.map((end, axis) => end - start[axis]!) as Triple;

/** A copy of the voxels within a box. */
export function cut<T extends Voxels>(values: T, shape: Triple, box: Region): T {
  const size = extentOf(box);
  const block = new (values.constructor as new (length: number) => T)(voxelCount(size));
  for (let k = 0, at = 0; k < size[2]; k++) {
    for (let j = 0; j < size[1]; j++, at += size[0]) {
      const from = flatIndex(shape, [box.start[0], box.start[1] + j, box.start[2] + k]);
      block.set(values.subarray(from, from + size[0]) as never, at);
    }
  }
  return block;
}

/** The smallest box around the voxels of a label; null without any. */
export function boxAround(mask: Uint8Array, shape: Triple, label: number): Region | null {
  const [start, stop]: [Triple, Triple] = [[...shape], [0, 0, 0]];
  for (let k = 0; k < shape[2]; k++) {
    for (let j = 0; j < shape[1]; j++) {
      const from = flatIndex(shape, [0, j, k]);
      const row = mask.subarray(from, from + shape[0]);
      const first = row.indexOf(label);
      if (first < 0) continue;
      const last = row.lastIndexOf(label);
      [first, j, k].forEach((n, axis) => (start[axis] = Math.min(start[axis]!, n)));
      [last, j, k].forEach((n, axis) => (stop[axis] = Math.max(stop[axis]!, n + 1)));
    }
  }
  return stop[0] === 0 ? null : { start, stop };
}

/** A box that reaches so many millimetres further, within the image. */
export function widened({ start, stop }: Region, mm: number, spacing: Triple, shape: Triple): Region {
  const by = spacing.map((step) => Math.ceil(mm / step));
  return {
    start: start.map((n, axis) => Math.max(0, n - by[axis]!)) as Triple,
    stop: stop.map((n, axis) => Math.min(shape[axis]!, n + by[axis]!)) as Triple,
  };
}

/** Runs as numbers in one array, three each, so that millions of them leave a worker without a copy. */
export class RunList {
  private packed = new Int32Array(3 * 256);
  private used = 0;

  add(start: number, length: number, value: number): void {
    const { packed, used } = this;
    if (used > 0 && packed[used - 1] === value && packed[used - 3]! + packed[used - 2]! === start) {
      packed[used - 2]! += length;
      return;
    }
    if (used === packed.length) {
      this.packed = new Int32Array(2 * used);
      this.packed.set(packed);
    }
    this.packed.set([start, length, value], used);
    this.used += 3;
  }

  get numbers(): Int32Array {
    return this.packed.slice(0, this.used);
  }
}

/** What a block wants to be, as runs of the whole volume: a value per voxel, or null to leave it. Runs are in order of their index. */
export function runsOf(box: Region, whole: Triple, wanted: (at: number) => number | null): Int32Array {
  const [size, runs] = [extentOf(box), new RunList()];
  for (let k = 0, at = 0; k < size[2]; k++) {
    for (let j = 0; j < size[1]; j++) {
      const from = flatIndex(whole, [box.start[0], box.start[1] + j, box.start[2] + k]);
      for (let i = 0; i < size[0]; i++, at++) {
        const value = wanted(at);
        if (value !== null) runs.add(from + i, 1, value);
      }
    }
  }
  return runs.numbers;
}

export function unpacked(numbers: Int32Array): Run[] {
  return Array.from({ length: numbers.length / 3 }, (_, n) => [numbers[3 * n]!, numbers[3 * n + 1]!, numbers[3 * n + 2]!]);
}
