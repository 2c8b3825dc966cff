/**
 * Where a model's uncertainty is worth drawing: the uncertain band along the border of what it proposes. An early model is a little
 * unsure everywhere; a haze over the whole image says nothing.
 */
import type { PlaneHeader } from "../api/types";
import type { Slice } from "../geometry/plane";

/** Half the width of the band in mm, and at least so many pixels. */
export const BAND_MM = 3;
const BAND_PIXELS = 1;
/** Below this share of the scale a voxel counts as sure. */
const UNSURE_FROM = 64;
/** Away from any border only what stands out is drawn: a structure that the model may have missed. */
const ISLAND_FROM = 128;
const ISLAND_SHARE = 0.01;

/** From which value a voxel away from every border stands out: it is among the most uncertain hundredth of the image. */
export function islandLevel(map: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const value of map) counts[value]!++;
  let [above, level] = [0, 255];
  while (level > 0 && above + counts[level]! <= map.length * ISLAND_SHARE) above += counts[level--]!;
  return Math.max(ISLAND_FROM, level + 1);
}

/** The pixels of a slice whose uncertainty is drawn: 1 yes, 0 no. */
export function uncertainBand(map: Uint8Array, mask: Uint8Array | null, slice: Slice, plane: PlaneHeader, islands: number): Uint8Array {
  const near = mask ? nearBorder(mask, slice, plane) : null;
  const shown = new Uint8Array(slice.width * slice.height);
  let at = 0;
  for (let y = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, index += slice.right, at++) {
      const value = map[index]!;
      if (value >= islands || (value >= UNSURE_FROM && near?.[at])) shown[at] = 1;
    }
  }
  return shown;
}

/** Pixels within the band of a pixel whose neighbour has another label. */
function nearBorder(mask: Uint8Array, slice: Slice, plane: PlaneHeader): Uint8Array {
  const { width, height, start, right, down } = slice;
  const [rx, ry] = [plane.x_spacing_mm, plane.y_spacing_mm].map((mm) => Math.max(BAND_PIXELS, Math.round(BAND_MM / mm))) as [number, number];
  const border = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index = start + x * right + y * down;
      if (x + 1 < width && mask[index] !== mask[index + right]) border[y * width + x] = border[y * width + x + 1] = 1;
      if (y + 1 < height && mask[index] !== mask[index + down]) border[y * width + x] = border[(y + 1) * width + x] = 1;
    }
  }
  return widened(widened(border, height, width, width, 1, rx), width, height, 1, width, ry);
}

/** Each mark grows by `reach` along every line; lines are `step` apart in memory where `line` is the distance between lines. */
function widened(marks: Uint8Array, lines: number, length: number, line: number, step: number, reach: number): Uint8Array {
  const grown = new Uint8Array(marks.length);
  for (let n = 0; n < lines; n++) {
    let until = -1;
    for (let i = 0; i < length + reach; i++) {
      if (i < length && marks[n * line + i * step]) until = i + 2 * reach;
      const target = i - reach;
      if (target >= 0 && target < length && i <= until) grown[n * line + target * step] = 1;
    }
  }
  return grown;
}
