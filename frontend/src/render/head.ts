/** The head-up drawing of a pane: edge letters, crosshair, scale bar, slice number, brush circle. */
import type { PlaneHeader } from "../api/types";
import type { Pixel } from "../geometry/plane";
import type { Placement } from "../geometry/viewport";
import { drawMarks, type Mark } from "./marks";
import { drawMeasures, type Measured } from "./measures";
import type { PaneSize } from "./painter";
import { drawRing, type RingMark } from "./rings";
import { drawSigns, type Sign } from "./signs";

export interface HeadUp {
  plane: PlaneHeader;
  size: PaneSize;
  place: Placement;
  /** The crosshair's point in the pane; null hides it (2D images have nothing to link). */
  crosshair: Pixel | null;
  title: string;
  /** Lines at the lower left: the value under the pointer, the window. */
  lines: string[];
  /** Without pixel size, the bar counts pixels. */
  unit: "mm" | "px";
  brush: { at: Pixel; radiusMm: number; colour: string; erases: boolean } | null;
  /** Prompts that touch this slice. */
  marks: readonly Mark[];
  /** An outline that is not closed yet. */
  ring: RingMark | null;
  measures: readonly Measured[];
  signs: readonly Sign[];
}

export const PLANE_COLOURS: Record<PlaneHeader["name"], string> = { axial: "#f2b84b", coronal: "#6fcf97", sagittal: "#56b4e9" };
const TEXT = "#e8edf0";
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const INSET = 10;
/** Height of the title, and half of a letter with some room. */
const TITLE_HEIGHT = 16;
const LETTER = 12;
/** Radius around the crosshair's centre that stays free, so that the lines never hide what they point at. */
const GAP = 16;

export function drawHead(context: CanvasRenderingContext2D, head: HeadUp): void {
  if (head.crosshair) drawCrosshair(context, head, head.crosshair);
  drawSigns(context, head.signs);
  context.font = `600 ${FONT}`;
  drawLetters(context, head, topOfLetter(context.measureText(head.title).width, head.size.width));
  drawScaleBar(context, head);
  context.font = `600 ${FONT}`;
  write(context, head.title, INSET, INSET, "left", "top", PLANE_COLOURS[head.plane.name]);
  context.font = FONT;
  head.lines.forEach((line, n) => write(context, line, INSET, head.size.height - INSET - (head.lines.length - 1 - n) * 16, "left", "bottom"));
  if (head.brush) drawBrush(context, head.place, head.brush);
  drawMarks(context, head.marks);
  if (head.ring) drawRing(context, head.ring);
  drawMeasures(context, head.measures);
}

/** Where the upper letter begins: below the title where both have no room beside each other. */
export function topOfLetter(titleWidth: number, width: number): number {
  return INSET + titleWidth + LETTER > width / 2 ? INSET + TITLE_HEIGHT : INSET;
}

function drawLetters(context: CanvasRenderingContext2D, { plane, size }: HeadUp, top: number): void {
  const [left, right, upper, bottom] = plane.edges; // without orientation the server names none
  context.font = `600 13px ${FONT.slice(5)}`;
  write(context, left, INSET, size.height / 2, "left", "middle");
  write(context, right, size.width - INSET, size.height / 2, "right", "middle");
  write(context, upper, size.width / 2, top, "center", "top");
  write(context, bottom, size.width / 2, size.height - INSET, "center", "bottom");
}

function drawCrosshair(context: CanvasRenderingContext2D, { plane, size }: HeadUp, at: Pixel): void {
  const [x, y] = [Math.round(at.x) + 0.5, Math.round(at.y) + 0.5];
  const [vertical, horizontal] = crossedPlanes(plane.name);
  context.lineWidth = 1;
  context.globalAlpha = 0.75;
  line(context, PLANE_COLOURS[vertical], x, 0, x, y - GAP);
  line(context, PLANE_COLOURS[vertical], x, y + GAP, x, size.height);
  line(context, PLANE_COLOURS[horizontal], 0, y, x - GAP, y);
  line(context, PLANE_COLOURS[horizontal], x + GAP, y, size.width, y);
  context.globalAlpha = 1;
}

/** Which planes the vertical and the horizontal line of the crosshair stand for. */
function crossedPlanes(name: PlaneHeader["name"]): [PlaneHeader["name"], PlaneHeader["name"]] {
  if (name === "axial") return ["sagittal", "coronal"];
  return name === "coronal" ? ["sagittal", "axial"] : ["coronal", "axial"];
}

function drawScaleBar(context: CanvasRenderingContext2D, { size, place, unit }: HeadUp): void {
  const mm = niceLength((size.width * 0.22) / place.perMm);
  const length = mm * place.perMm;
  const right = size.width - INSET;
  const y = size.height - INSET - 0.5;
  context.lineWidth = 3;
  bar(context, "rgba(0,0,0,0.7)", right, length, y);
  context.lineWidth = 1;
  bar(context, TEXT, right, length, y);
  context.font = FONT;
  write(context, unit === "mm" && mm >= 10 ? `${mm / 10} cm` : `${mm} ${unit}`, right - length / 2, y - 6, "center", "bottom");
}

/** The longest of 1, 2, 5 × 10ⁿ that is not longer than `limit`. */
export function niceLength(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit));
  const factor = [5, 2].find((step) => step * power <= limit) ?? 1;
  return Number((factor * power).toPrecision(3));
}

function bar(context: CanvasRenderingContext2D, colour: string, right: number, length: number, y: number): void {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(right - length, y - 4);
  context.lineTo(right - length, y);
  context.lineTo(right, y);
  context.lineTo(right, y - 4);
  context.stroke();
}

function drawBrush(context: CanvasRenderingContext2D, place: Placement, brush: NonNullable<HeadUp["brush"]>): void {
  const radius = Math.max(1.5, brush.radiusMm * place.perMm);
  for (const [width, colour] of [
    [3, "rgba(0,0,0,0.55)"],
    [1.5, brush.erases ? "#ffffff" : brush.colour],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.setLineDash(brush.erases ? [4, 3] : []);
    context.beginPath();
    context.arc(brush.at.x, brush.at.y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}

function line(context: CanvasRenderingContext2D, colour: string, x1: number, y1: number, x2: number, y2: number): void {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function write(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  align: CanvasTextAlign,
  baseline: CanvasTextBaseline,
  colour = TEXT,
): void {
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0,0,0,0.85)";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
