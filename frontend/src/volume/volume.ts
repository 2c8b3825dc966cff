/** Voxels as they come: one typed array per case, file order, channels one after the other. */
import type { CaseHeader, Triple } from "../api/types";
import { flatIndex, voxelCount } from "../geometry/plane";

export type Voxels = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

const ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export interface Volume {
  shape: Triple;
  channels: number;
  /** All channels; channel c starts at c · voxels. */
  values: Voxels;
  voxels: number;
  /** Voxels of the file received so far; equals `values.length` when complete. */
  received: number;
}

export function bytesOf(header: CaseHeader): number {
  return voxelCount(header.shape) * header.channels * arrayOf(header.dtype).BYTES_PER_ELEMENT;
}

/** View the bytes as voxels, without a copy. Bytes are little endian, as are all machines with a browser. */
export function volumeOf(header: CaseHeader, buffer: ArrayBuffer): Volume {
  const expected = bytesOf(header);
  if (buffer.byteLength !== expected) {
    throw new Error(`${header.name}: ${expected} bytes of voxels expected, got ${buffer.byteLength}`);
  }
  const values = new (arrayOf(header.dtype))(buffer);
  return { shape: header.shape, channels: header.channels, values, voxels: voxelCount(header.shape), received: values.length };
}

/** The part of the volume that holds one channel. */
export function channelOf(volume: Volume, channel: number): Voxels {
  return volume.values.subarray(channel * volume.voxels, (channel + 1) * volume.voxels);
}

/** How many voxels of a channel are there; colours need all three. */
export function receivedOf({ received, voxels }: Volume, view: "rgb" | number): number {
  return Math.min(voxels, Math.max(0, received - (view === "rgb" ? 2 : view) * voxels));
}

/** NaN where the value is not there yet. */
export function valueAt(volume: Volume, channel: number, voxel: Triple): number {
  const index = flatIndex(volume.shape, voxel);
  return index < receivedOf(volume, channel) ? volume.values[channel * volume.voxels + index]! : Number.NaN;
}

function arrayOf(dtype: string): (typeof ARRAYS)[keyof typeof ARRAYS] {
  const found = ARRAYS[dtype as keyof typeof ARRAYS];
  if (!found) throw new Error(`This page cannot draw voxels of type ${dtype}; import the case again`);
  return found;
}
