/** The map of a pool: places within 0..1 (y upwards), pixels of a canvas (y downwards), and what lies inside a lasso. */

export interface Size {
  width: number;
  height: number;
}

/** Which part of the map is seen: pixels per unit, and the place in the middle of the canvas. */
export interface Camera {
  scale: number;
  x: number;
  y: number;
}

export type Spot = readonly [x: number, y: number];

/** Share of the canvas that the whole map fills. */
const MARGIN = 0.92;
const FURTHEST = 0.5;
const CLOSEST = 4000;

export const fitted = ({ width, height }: Size): Camera => ({ scale: Math.max(1, Math.min(width, height) * MARGIN), x: 0.5, y: 0.5 });

export const toPixels = ({ scale, x, y }: Camera, { width, height }: Size, [px, py]: Spot): Spot => [
  width / 2 + (px - x) * scale,
  height / 2 - (py - y) * scale,
];

export const toPlace = ({ scale, x, y }: Camera, { width, height }: Size, [px, py]: Spot): Spot => [
  x + (px - width / 2) / scale,
  y - (py - height / 2) / scale,
];

export const panned = (camera: Camera, dx: number, dy: number): Camera => ({ ...camera, x: camera.x - dx / camera.scale, y: camera.y + dy / camera.scale });

/** Nearer or further; what lies under the pixel stays there. */
export function zoomed(camera: Camera, size: Size, factor: number, pixel: Spot): Camera {
  const whole = fitted(size).scale;
  const scale = Math.min(whole * CLOSEST, Math.max(whole * FURTHEST, camera.scale * factor));
  const [x, y] = toPlace(camera, size, pixel);
  const [nx, ny] = toPlace({ ...camera, scale }, size, pixel);
  return { scale, x: camera.x + x - nx, y: camera.y + y - ny };
}

/** Whether a place lies inside a polygon, by the even-odd rule; one of fewer than three corners holds nothing. */
export function isInside(polygon: readonly Spot[], [x, y]: Spot): boolean {
  if (polygon.length < 3) return false;
  let inside = false;
  let [bx, by] = polygon.at(-1)!;
  for (const [ax, ay] of polygon) {
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    [bx, by] = [ax, ay];
  }
  return inside;
}

/** Numbers of the points inside a polygon; its bounds are looked at first. */
export function lassoed(polygon: readonly Spot[], xs: readonly number[], ys: readonly number[]): number[] {
  const [px, py] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  const [left, right, low, high] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
  return numbersWhere(xs, (x, n) => x >= left && x <= right && ys[n]! >= low && ys[n]! <= high && isInside(polygon, [x, ys[n]!]));
}

/** Numbers of the points that are seen. */
export function seen(camera: Camera, size: Size, xs: readonly number[], ys: readonly number[]): number[] {
  const [left, high] = toPlace(camera, size, [0, 0]);
  const [right, low] = toPlace(camera, size, [size.width, size.height]);
  return numbersWhere(xs, (x, n) => x >= left && x <= right && ys[n]! >= low && ys[n]! <= high);
}

/** The point nearest to a place, none further than `within`; −1 for none. */
export function nearest(xs: readonly number[], ys: readonly number[], [x, y]: Spot, within: number): number {
  let [found, best] = [-1, within * within];
  for (let n = 0; n < xs.length; n++) {
    const away = (xs[n]! - x) ** 2 + (ys[n]! - y) ** 2;
    if (away <= best) [found, best] = [n, away];
  }
  return found;
}

function numbersWhere(xs: readonly number[], fits: (x: number, n: number) => boolean): number[] {
  const found: number[] = [];
  xs.forEach((x, n) => {
    if (fits(x, n)) found.push(n);
  });
  return found;
}
