/** One mask here, another there: what to take over from a hypothesis, and where it differs. */
import type { Region, Triple } from "../api/types";
import { flatIndex, strides } from "../geometry/plane";
import type { MayChange } from "./locks";

/** The mask with another one's labels inside a region, where they may change; `kept` receives those that may not. */
export function mixed(mask: Uint8Array, other: Uint8Array, shape: Triple, region: Region, may: MayChange, kept: Set<number> = new Set()): Uint8Array {
  const result = mask.slice();
  for (let k = region.start[2]; k < region.stop[2]; k++) {
    for (let j = region.start[1]; j < region.stop[1]; j++) {
      const row = flatIndex(shape, [0, j, k]);
      for (let index = row + region.start[0]; index < row + region.stop[0]; index++) {
        const [from, to] = [mask[index]!, other[index]!];
        if (from === to) continue;
        if (may(from, to)) result[index] = to;
        else kept.add(from).add(to);
      }
    }
  }
  return result;
}

/** How many voxels differ in each slice across an axis. */
export function differences(mask: Uint8Array, other: Uint8Array, shape: Triple, axis: number): Uint32Array {
  const counts = new Uint32Array(shape[axis]!);
  const stride = strides(shape)[axis]!;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] !== other[index]) counts[Math.floor(index / stride) % shape[axis]!]!++;
  }
  return counts;
}

export const wholeOf = (shape: Triple): Region => ({ start: [0, 0, 0], stop: [...shape] });

export function sliceRegion(shape: Triple, axis: number, number: number): Region {
  const region = wholeOf(shape);
  region.start[axis] = number;
  region.stop[axis] = number + 1;
  return region;
}
