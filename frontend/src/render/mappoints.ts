/** Draws the points of the pool's map. */
import { type Camera, type Size, type Spot, toPixels } from "../geometry/flatmap";

export interface Drawn {
  xs: readonly number[];
  ys: readonly number[];
  /** In the order in which they are drawn. */
  entries: readonly { colour: string; points: readonly number[] }[];
  chosen: ReadonlySet<number>;
  /** The point that is pointed at; −1 for none. */
  at: number;
  /** The lasso so far, in pixels. */
  lasso: readonly Spot[];
  /** Whether the keyboard points at the middle. */
  aims: boolean;
  ink: string;
}

const SMALL = 3;
const LARGE = 6;
const MANY = 5000;

export function drawMap(context: CanvasRenderingContext2D, camera: Camera, size: Size, drawn: Drawn): void {
  context.clearRect(0, 0, size.width, size.height);
  const side = drawn.xs.length > MANY ? SMALL : SMALL + 2;
  const at = (n: number): Spot => toPixels(camera, size, [drawn.xs[n]!, drawn.ys[n]!]);
  for (const { colour, points } of drawn.entries) {
    context.fillStyle = colour;
    for (const n of points) {
      const [x, y] = at(n);
      if (x > -side && y > -side && x < size.width + side && y < size.height + side) context.fillRect(x - side / 2, y - side / 2, side, side);
    }
  }
  context.strokeStyle = drawn.ink;
  context.lineWidth = 1.5;
  for (const n of drawn.chosen) ring(context, at(n), LARGE / 2 + 1);
  if (drawn.at >= 0) ring(context, at(drawn.at), LARGE);
  if (drawn.lasso.length > 1) outline(context, drawn.lasso);
  if (drawn.aims) cross(context, [size.width / 2, size.height / 2]);
}

function ring(context: CanvasRenderingContext2D, [x, y]: Spot, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function outline(context: CanvasRenderingContext2D, spots: readonly Spot[]): void {
  context.setLineDash([5, 4]);
  context.beginPath();
  for (const [x, y] of spots) context.lineTo(x, y);
  context.closePath();
  context.stroke();
  context.setLineDash([]);
}

function cross(context: CanvasRenderingContext2D, [x, y]: Spot): void {
  context.beginPath();
  context.moveTo(x - LARGE * 2, y);
  context.lineTo(x + LARGE * 2, y);
  context.moveTo(x, y - LARGE * 2);
  context.lineTo(x, y + LARGE * 2);
  context.stroke();
}
