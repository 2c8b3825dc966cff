/** Voxels inside JSON: base64 of gzip, one byte each. */

/** The bytes of a map or mask of known length. */
export async function unpackVoxels(packed: string, voxels: number): Promise<Uint8Array> {
  const zipped = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const plain = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(plain).arrayBuffer());
  if (bytes.length !== voxels) throw new Error(`A map of ${voxels} voxels was expected, got ${bytes.length}`);
  return bytes;
}
