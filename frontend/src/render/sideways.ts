/**
 * Slices that lie across the file, where each pixel's voxel is far from the next one's: fetching one value from memory brings its neighbours
 * along, so a few slices are copied at once and the next ones are there when somebody turns to them.
 */
import type { PlaneHeader, Triple } from "../api/types";
import { sliceOf, voxelCount } from "../geometry/plane";
import { channelOf, type Volume } from "../volume/volume";
import type { Reduced } from "./reduce";

/** Of 16 bits each they fill a quarter of what memory brings at a time. */
export const DEEP = 8;

/** Copies of slices `first` to `first + DEEP`, laid out as they are drawn. */
export interface Block {
  of: Volume;
  first: number;
  copy: Volume;
}

/** Where it is worth it: the file's fastest axis goes through the screen, and it is all of a case and all there. */
export const liesAcross = (plane: PlaneHeader, volume: Volume, shape: Triple): boolean =>
  plane.slice_axis === 0 && shape[0] > DEEP && volume.voxels === voxelCount(shape) && volume.received === volume.values.length;

/** The block that holds a slice: the one that is known, or a new one. */
export function blockAround(known: Block | null, volume: Volume, plane: PlaneHeader, shape: Triple, number: number): Block {
  const first = number - (number % DEEP);
  return known?.of === volume && known.first === first ? known : { of: volume, first, copy: copied(volume, plane, shape, first) };
}

export function sliceIn({ first, copy }: Block, number: number): Reduced {
  const [width, height] = copy.shape;
  return { volume: copy, slice: { start: (number - first) * width * height, right: 1, down: width, width, height }, factor: 1 };
}

function copied(volume: Volume, plane: PlaneHeader, shape: Triple, first: number): Volume {
  const { start, right, down, width, height } = sliceOf(plane, shape, first);
  const deep = Math.min(DEEP, shape[0] - first);
  const pixels = width * height;
  const kind = volume.values.constructor as new (length: number) => Volume["values"];
  const values = new kind(pixels * deep * volume.channels);
  for (let channel = 0; channel < volume.channels; channel++) {
    const from = channelOf(volume, channel);
    for (let y = 0, to = channel * pixels * deep; y < height; y++) {
      for (let x = 0, index = start + y * down; x < width; x++, to++, index += right) {
        for (let n = 0; n < deep; n++) values[to + n * pixels] = from[index + n]!;
      }
    }
  }
  return { shape: [width, height, deep], channels: volume.channels, values, voxels: pixels * deep, received: values.length };
}
