/** Receives voxels into one buffer, so that a long volume can be drawn while it still arrives. */
import type { CaseHeader } from "../api/types";
import { bytesOf, volumeOf, type Volume } from "./volume";

/** `onPart` is called with the growing volume whenever more slices are there. */
export async function receiveVolume(response: Response, header: CaseHeader, onPart: (volume: Volume) => void): Promise<Volume> {
  const bytes = new Uint8Array(bytesOf(header));
  const volume = volumeOf(header, bytes.buffer);
  volume.received = 0;
  const length = await receiveInto(bytes, response, (received) => {
    volume.received = Math.floor(received / volume.values.BYTES_PER_ELEMENT);
    onPart(volume);
  });
  if (length !== bytes.length) throw new Error(`${header.name}: ${bytes.length} bytes of voxels expected, got ${length}`);
  volume.received = volume.values.length;
  return volume;
}

/** A uint8 mask or uncertainty map of known length. */
export async function receiveMask(response: Response, voxels: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== voxels) throw new Error(`A mask of ${voxels} voxels was expected, got ${bytes.length}`);
  return bytes;
}

async function receiveInto(target: Uint8Array, response: Response, onPart: (received: number) => void): Promise<number> {
  if (!response.body) {
    const all = new Uint8Array(await response.arrayBuffer());
    target.set(all.subarray(0, target.length));
    return all.length;
  }
  const reader = response.body.getReader();
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return received;
    if (received + value.length <= target.length) target.set(value, received);
    received += value.length;
    onPart(Math.min(received, target.length));
  }
}
