/** 2D fill: the connected region under the pointer takes the active label; an open outline is refused. */
import type { Pixel, Slice } from "../geometry/plane";

export type FillResult = { indices: Int32Array; leaks: false } | { indices: null; leaks: true };

/**
 * The 4-connected pixels of the slice that hold the same value as the seed.
 *
 * Background that reaches the slice's border is not enclosed by an outline: `leaks`.
 */
export function findRegion(mask: Uint8Array, slice: Slice, seed: Pixel): FillResult {
  const { width, height } = slice;
  const x0 = Math.round(seed.x);
  const y0 = Math.round(seed.y);
  if (x0 < 0 || y0 < 0 || x0 >= width || y0 >= height) return { indices: new Int32Array(), leaks: false };
  const at = (pixel: number): number => slice.start + (pixel % width) * slice.right + Math.floor(pixel / width) * slice.down;
  const wanted = mask[at(y0 * width + x0)]!;
  const seen = new Uint8Array(width * height);
  const stack = [y0 * width + x0];
  seen[stack[0]!] = 1;
  const found: number[] = [];
  while (stack.length > 0) {
    const pixel = stack.pop()!;
    const x = pixel % width;
    const y = (pixel - x) / width;
    if (wanted === 0 && (x === 0 || y === 0 || x === width - 1 || y === height - 1)) return { indices: null, leaks: true };
    found.push(at(pixel));
    for (const [next, inside] of [
      [pixel - 1, x > 0],
      [pixel + 1, x < width - 1],
      [pixel - width, y > 0],
      [pixel + width, y < height - 1],
    ] as const) {
      if (inside && !seen[next] && mask[at(next)] === wanted) {
        seen[next] = 1;
        stack.push(next);
      }
    }
  }
  return { indices: Int32Array.from(found), leaks: false };
}
