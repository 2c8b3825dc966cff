/** Measurements on a pane: lines, angles and regions in one colour on a dark edge, with their figures beside them. */
import type { Triple } from "../api/types";
import type { MeasurementKind } from "../geometry/measure";
import { type Pixel, pixelOfVoxel } from "../geometry/plane";
import { pointOfPixel } from "../geometry/viewport";
import type { MarkScene } from "./marks";

export interface Measured {
  kind: MeasurementKind;
  /** Points of the pane, as many as are placed. */
  at: readonly Pixel[];
  lines: readonly string[];
  /** Its ends can be taken. */
  chosen: boolean;
  /** Somebody else's, or not kept yet. */
  faint: boolean;
}

export const HANDLE = 4;
const COLOUR = "#ffe066";
const FAINT = "#c9bd86";
const DARK = "rgba(0,0,0,0.8)";
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Where a measurement's points lie in a pane. */
export const pointsOn = (points: readonly Triple[], { plane, shape, place }: Omit<MarkScene, "number" | "colourOf">): Pixel[] =>
  points.map((voxel) => pointOfPixel(place, pixelOfVoxel(plane, shape, voxel)));

export function drawMeasures(context: CanvasRenderingContext2D, measures: readonly Measured[]): void {
  context.lineCap = context.lineJoin = "round";
  for (const measure of measures) {
    const path = pathOf(measure);
    for (const [width, colour] of [
      [measure.chosen ? 5 : 4, DARK],
      [measure.chosen ? 2.5 : 1.5, measure.faint ? FAINT : COLOUR],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke(path);
    }
    // The corners of an ellipse lie beside it: they are shown where they can be taken.
    if (measure.chosen || measure.kind !== "ellipse") for (const at of measure.at) drawHandle(context, at, measure);
    drawLines(context, measure);
  }
}

function pathOf({ kind, at }: Measured): Path2D {
  const path = new Path2D();
  const [a, b, c] = at;
  if (!a || !b) return path;
  if (kind === "rectangle") path.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(b.x - a.x), Math.abs(b.y - a.y));
  else if (kind === "ellipse") path.ellipse((a.x + b.x) / 2, (a.y + b.y) / 2, Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2, 0, 0, 2 * Math.PI);
  else for (const [n, { x, y }] of at.entries()) path[n === 0 ? "moveTo" : "lineTo"](x, y);
  if (kind === "angle" && c) addArc(path, a, b, c);
  return path;
}

/** A small arc at the apex, on the side of the angle that is measured. */
function addArc(path: Path2D, a: Pixel, apex: Pixel, c: Pixel): void {
  const from = Math.atan2(a.y - apex.y, a.x - apex.x);
  const turn = Math.atan2(c.y - apex.y, c.x - apex.x) - from;
  const radius = Math.min(22, Math.hypot(a.x - apex.x, a.y - apex.y) / 2, Math.hypot(c.x - apex.x, c.y - apex.y) / 2);
  path.moveTo(apex.x + radius * Math.cos(from), apex.y + radius * Math.sin(from));
  path.arc(apex.x, apex.y, radius, from, from + turn, Math.sin(turn) < 0);
}

function drawHandle(context: CanvasRenderingContext2D, { x, y }: Pixel, { chosen, faint }: Measured): void {
  const size = chosen ? HANDLE : HANDLE - 1.5;
  context.lineWidth = 1;
  context.strokeStyle = DARK;
  context.fillStyle = chosen ? "#ffffff" : faint ? FAINT : COLOUR;
  context.fillRect(x - size, y - size, 2 * size, 2 * size);
  context.strokeRect(x - size, y - size, 2 * size, 2 * size);
}

/** To the right of its rightmost point, an angle's beside its apex. */
function drawLines(context: CanvasRenderingContext2D, { kind, at, lines, faint }: Measured): void {
  const right = kind === "angle" && at[1] ? at[1] : at.reduce((found, one) => (one.x > found.x ? one : found), at[0] ?? { x: 0, y: 0 });
  context.font = FONT;
  context.textAlign = "left";
  context.textBaseline = "middle";
  lines.forEach((line, n) => {
    const [x, y] = [right.x + 9, right.y + 15 * (n - (lines.length - 1) / 2)];
    context.lineWidth = 3;
    context.strokeStyle = DARK;
    context.strokeText(line, x, y);
    context.fillStyle = faint ? FAINT : COLOUR;
    context.fillText(line, x, y);
  });
}
