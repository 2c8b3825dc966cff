/** Several slices as one picture: the largest, smallest or mean value along each line of sight. */
import type { CaseHeader, PlaneHeader, Triple } from "../api/types";
import { scaleOf, sliceDistance } from "../geometry/measure";
import { sliceOf } from "../geometry/plane";
import { channelOf, type Volume, type Voxels } from "../volume/volume";
import type { Reduced } from "./reduce";

export const SLABS = ["off", "MIP", "MinIP", "mean"] as const;
export type SlabMode = (typeof SLABS)[number];

/** From the first to the last slice, both included. */
export interface Slab {
  mode: Exclude<SlabMode, "off">;
  first: number;
  last: number;
}

/** Every slice whose centre lies within half the thickness, as far as there are any; in slices where their distance is not known. */
export function slabAround(mode: SlabMode, thickness: number, header: CaseHeader, { slice_axis }: PlaneHeader, number: number): Slab | null {
  if (mode === "off") return null;
  const distance = header.spaced ? sliceDistance(slice_axis, scaleOf(header, slice_axis)) : 1;
  const half = Math.floor(thickness / 2 / distance + 1e-6);
  return { mode, first: Math.max(0, number - half), last: Math.min(header.shape[slice_axis]! - 1, number + half) };
}

/** The projection, laid out as it is drawn (no flips left); of the channels named, the others stay empty. */
export function projectSlab(volume: Volume, plane: PlaneHeader, shape: Triple, { mode, first, last }: Slab, channels: readonly number[]): Reduced {
  const slices = Array.from({ length: last - first + 1 }, (_, n) => sliceOf(plane, shape, first + n));
  const { width, height, right, down } = slices[0]!;
  const voxels = width * height;
  const kind = (mode === "mean" ? Float32Array : volume.values.constructor) as new (length: number) => Voxels;
  const values = new kind(voxels * volume.channels);
  for (const channel of channels) {
    const from = channelOf(volume, channel);
    const to = values.subarray(channel * voxels, (channel + 1) * voxels);
    const sums = mode === "mean" ? new Float64Array(voxels) : null;
    slices.forEach(({ start }, n) => {
      for (let y = 0, at = 0; y < height; y++) {
        for (let x = 0, index = start + y * down; x < width; x++, at++, index += right) {
          const value = from[index]!;
          if (sums) sums[at]! += value;
          else if (n === 0 || (mode === "MIP" ? value > to[at]! : value < to[at]!)) to[at] = value;
        }
      }
    });
    sums?.forEach((sum, at) => {
      to[at] = sum / slices.length;
    });
  }
  return {
    volume: { shape: [width, height, 1], channels: volume.channels, values, voxels, received: values.length },
    slice: { start: 0, right: 1, down: width, width, height },
    factor: 1,
  };
}
