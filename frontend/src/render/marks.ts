/** Prompts on a slice: clicks and strokes with their sign, boxes, in the label's colour on a dark edge. */
import type { PlaneHeader, Prompt, Region, Triple } from "../api/types";
import { type Pixel, pixelOfVoxel } from "../geometry/plane";
import { type Placement, pointOfPixel } from "../geometry/viewport";

export interface Mark {
  form: "point" | "line" | "box";
  /** Points of the pane: one, the stroke's, or two opposite corners. */
  at: readonly Pixel[];
  positive: boolean;
  colour: string;
  chosen: boolean;
  /** Still being drawn or answered. */
  waiting: boolean;
}

export interface Shown {
  prompt: Prompt;
  chosen?: boolean;
  waiting?: boolean;
}

export interface MarkScene {
  plane: PlaneHeader;
  shape: Triple;
  number: number;
  place: Placement;
  colourOf: (label: number) => string;
}

export const POINT_RADIUS = 6;
/** Steps between neighbouring voxels of a stroke; a longer one was drawn in another slice. */
const NEIGHBOURS = 1.5;

/** How a prompt looks in one slice: nothing where it does not touch it, several lines where a stroke leaves and returns. */
export function marksOf({ prompt, chosen = false, waiting = false }: Shown, scene: MarkScene): Mark[] {
  const common = { colour: scene.colourOf(prompt.label), chosen, waiting };
  const { plane, shape, number, place } = scene;
  const pixel = (voxel: Triple): Pixel => pixelOfVoxel(plane, shape, voxel);
  if (prompt.kind === "point") {
    if (prompt.voxel[plane.slice_axis] !== number) return [];
    return [{ form: "point", at: [pointOfPixel(place, pixel(prompt.voxel))], positive: prompt.positive, ...common }];
  }
  if (prompt.kind === "scribble") {
    const lines = linesWithin(prompt.voxels, plane.slice_axis, number);
    return lines.map((voxels) => ({ form: "line", at: voxels.map((v) => pointOfPixel(place, pixel(v))), positive: prompt.positive, ...common }));
  }
  if (prompt.kind === "extreme_points") {
    const here = prompt.voxels.filter((voxel) => voxel[plane.slice_axis] === number);
    return here.map((voxel) => ({ form: "point", at: [pointOfPixel(place, pixel(voxel))], positive: true, ...common }));
  }
  if (prompt.kind === "lasso") {
    if (prompt.axis !== plane.slice_axis || prompt.index !== number || prompt.corners.length === 0) return [];
    const at = prompt.corners.map((corner) => pointOfPixel(place, pixel(corner.toSpliced(prompt.axis, 0, number) as Triple)));
    return [{ form: "line", at: [...at, at[0]!], positive: prompt.positive, ...common }];
  }
  if (prompt.kind !== "box" || !crosses(prompt, scene)) return [];
  return [{ form: "box", at: cornersOf(prompt, scene), positive: true, ...common }];
}

/** The upper left and lower right points of a box in a plane, around its outermost voxels. */
export function cornersOf({ start, stop }: Region, { plane, shape, place }: Omit<MarkScene, "number" | "colourOf">): [Pixel, Pixel] {
  const last = stop.map((end) => end - 1) as Triple;
  const [a, b] = [pixelOfVoxel(plane, shape, start), pixelOfVoxel(plane, shape, last)];
  const low = { x: Math.min(a.x, b.x) - 0.5, y: Math.min(a.y, b.y) - 0.5 };
  const high = { x: Math.max(a.x, b.x) + 0.5, y: Math.max(a.y, b.y) + 0.5 };
  return [pointOfPixel(place, low), pointOfPixel(place, high)];
}

/** The connected parts of a stroke that lie in one slice. */
export function linesWithin(voxels: readonly Triple[], axis: number, number: number): Triple[][] {
  const lines: Triple[][] = [];
  let last: Triple | null = null;
  for (const voxel of voxels) {
    if (voxel[axis] !== number) {
      last = null;
      continue;
    }
    if (last && Math.hypot(...voxel.map((v, n) => v - last![n]!)) <= NEIGHBOURS) lines.at(-1)!.push(voxel);
    else lines.push([voxel]);
    last = voxel;
  }
  return lines;
}

export const crosses = ({ start, stop }: Region, { plane, number }: Pick<MarkScene, "plane" | "number">): boolean =>
  number >= start[plane.slice_axis]! && number < stop[plane.slice_axis]!;

export function drawMarks(context: CanvasRenderingContext2D, marks: readonly Mark[]): void {
  context.lineCap = context.lineJoin = "round";
  for (const mark of marks) {
    context.globalAlpha = mark.waiting ? 0.6 : 1;
    if (mark.form === "box") drawBox(context, mark);
    else if (mark.form === "line" && mark.at.length > 1) drawLine(context, mark);
    drawSign(context, mark);
  }
  context.globalAlpha = 1;
}

function drawBox(context: CanvasRenderingContext2D, { at: [low, high], colour, chosen, waiting }: Mark): void {
  context.setLineDash(waiting ? [6, 4] : []);
  for (const [width, stroke] of [
    [chosen ? 6 : 4, chosen ? "#ffffff" : "rgba(0,0,0,0.7)"],
    [2, colour],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.strokeRect(low!.x, low!.y, high!.x - low!.x, high!.y - low!.y);
  }
  context.setLineDash([]);
}

function drawLine(context: CanvasRenderingContext2D, { at, colour, positive, chosen }: Mark): void {
  for (const [width, stroke] of [
    [chosen ? 7 : 5, chosen ? "#ffffff" : "rgba(0,0,0,0.7)"],
    [3, colour],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.setLineDash(positive || stroke !== colour ? [] : [2, 6]);
    context.beginPath();
    at.forEach(({ x, y }, n) => (n === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
  }
  context.setLineDash([]);
}

/** A disc with plus or minus at a click, at a stroke's beginning, at a box's corner. */
function drawSign(context: CanvasRenderingContext2D, { at: [place], colour, positive, chosen, form }: Mark): void {
  const { x, y } = place!;
  const radius = form === "point" ? POINT_RADIUS : POINT_RADIUS - 1;
  context.lineWidth = chosen ? 3 : 1.5;
  context.strokeStyle = chosen ? "#ffffff" : "rgba(0,0,0,0.8)";
  context.fillStyle = positive ? colour : "#14191c";
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = positive ? "#ffffff" : colour;
  context.beginPath();
  context.moveTo(x - radius + 2.5, y);
  context.lineTo(x + radius - 2.5, y);
  if (positive) context.moveTo(x, y - radius + 2.5);
  if (positive) context.lineTo(x, y + radius - 2.5);
  context.stroke();
}
