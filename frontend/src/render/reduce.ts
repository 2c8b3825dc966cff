/** A coarser copy of a large slice, for when the screen has fewer pixels than the image (a chest film, say). */
import type { Slice } from "../geometry/plane";
import { channelOf, type Volume } from "../volume/volume";

export interface Reduced {
  volume: Volume;
  slice: Slice;
  /** Pixels of the original per pixel of the copy, along each axis. */
  factor: number;
}

/** Below this many pixels drawing the original is quick enough. */
const WORTHWHILE = 1_500_000;

/** How coarse a slice may become without losing anything on the screen. */
export function reductionOf(slice: Slice, devicePixelsPerPixel: number): number {
  if (slice.width * slice.height < WORTHWHILE) return 1;
  return Math.max(1, Math.min(8, Math.floor(1 / devicePixelsPerPixel)));
}

/** Mean of each factor × factor block, every channel, laid out as it is drawn (no flips left). */
export function reduceSlice(volume: Volume, slice: Slice, factor: number): Reduced {
  const width = Math.floor(slice.width / factor);
  const height = Math.floor(slice.height / factor);
  const voxels = width * height;
  const kind = volume.values.constructor as new (length: number) => Volume["values"];
  const values = new kind(voxels * volume.channels);
  for (let channel = 0; channel < volume.channels; channel++) {
    meanBlocks(channelOf(volume, channel), slice, factor, width, height, values.subarray(channel * voxels, (channel + 1) * voxels));
  }
  return {
    volume: { shape: [width, height, 1], channels: volume.channels, values, voxels, received: values.length },
    slice: { start: 0, right: 1, down: width, width, height },
    factor,
  };
}

function meanBlocks(from: Volume["values"], slice: Slice, factor: number, width: number, height: number, to: Volume["values"]): void {
  const sums = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = y * factor; row < (y + 1) * factor; row++) {
      let index = slice.start + row * slice.down;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let n = 0; n < factor; n++, index += slice.right) sum += from[index]!;
        sums[x]! += sum;
      }
    }
    for (let x = 0; x < width; x++) to[y * width + x] = sums[x]! / (factor * factor);
  }
}
