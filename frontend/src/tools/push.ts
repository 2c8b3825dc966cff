/** Pushing an outline: a disc that begins on one side of it and takes it along. */
import type { PlaneHeader, Triple } from "../api/types";
import { type Pixel, sliceOf } from "../geometry/plane";

export interface Push {
  /** Begun outside the label: what the disc goes over is taken from it; else it is given to it. */
  inwards: boolean;
  /** As large as the brush, but no larger than fits on the side it begins on, so that pressing alone changes nothing. */
  radiusMm: number;
}

/** The push that begins at a place of a slice. */
export function pushFrom(mask: Uint8Array, label: number, plane: PlaneHeader, shape: Triple, number: number, at: Pixel, brushMm: number): Push {
  const slice = sliceOf(plane, shape, number);
  const indexOf = (x: number, y: number): number => slice.start + x * slice.right + y * slice.down;
  const [x, y] = [Math.round(at.x), Math.round(at.y)];
  const within = x >= 0 && y >= 0 && x < slice.width && y < slice.height;
  const inwards = !within || mask[indexOf(x, y)] !== label;
  let nearest = brushMm;
  const [rx, ry] = [Math.ceil(brushMm / plane.x_spacing_mm), Math.ceil(brushMm / plane.y_spacing_mm)];
  for (let b = Math.max(0, y - ry); b <= Math.min(slice.height - 1, y + ry); b++) {
    for (let a = Math.max(0, x - rx); a <= Math.min(slice.width - 1, x + rx); a++) {
      if ((mask[indexOf(a, b)] !== label) === inwards) continue;
      const away = Math.hypot((a - at.x) * plane.x_spacing_mm, (b - at.y) * plane.y_spacing_mm);
      nearest = Math.min(nearest, away * (1 - 1e-6));
    }
  }
  return { inwards, radiusMm: nearest };
}
