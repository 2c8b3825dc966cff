/** Receives voxels into one buffer, so that a long volume can be drawn while it still arrives. */
import type { CaseHeader } from "../api/types";
import { bytesOf, type Volume, volumeOf } from "./volume";

const PART_BYTES = 1 << 20;

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
  let received = 0;
  await readParts(response.body, (part) => {
    if (received + part.length <= target.length) target.set(part, received);
    received += part.length;
    onPart(Math.min(received, target.length));
  });
  return received;
}

/** Reads with a buffer of our own where the browser can: about a third faster than letting it allocate each part. */
async function readParts(body: ReadableStream<Uint8Array>, take: (part: Uint8Array) => void): Promise<void> {
  const own = ownBufferReader(body);
  if (!own) {
    const reader = body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) take(part.value);
    return;
  }
  let buffer = new ArrayBuffer(PART_BYTES);
  for (;;) {
    const { done, value } = await own.read(new Uint8Array(buffer));
    if (done) return;
    take(value);
    buffer = value.buffer as ArrayBuffer;
  }
}

function ownBufferReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}
