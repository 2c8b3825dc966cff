/** What is pointed at rather than drawn: frames around boxes, and numbered diamonds where a hint would help. */
import type { Region, Triple } from "../api/types";
import { type Pixel, pixelOfVoxel } from "../geometry/plane";
import { pointOfPixel } from "../geometry/viewport";
import { cornersOf, crosses, type MarkScene } from "./marks";

export interface Sign {
  form: "frame" | "diamond";
  /** Points of the pane: two opposite corners, or the middle. */
  at: readonly Pixel[];
  text: string;
  colour: string;
}

type Scene = Omit<MarkScene, "colourOf">;

const DIAMOND_RADIUS = 9;
const FONT = "600 11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const DARK = "rgba(0,0,0,0.75)";

/** The frame of a box in the slice shown; nothing where it does not cross it. */
export function frameOf(region: Region, text: string, colour: string, scene: Scene): Sign[] {
  return crosses(region, scene) ? [{ form: "frame", at: cornersOf(region, scene), text, colour }] : [];
}

export function diamondAt(voxel: Triple, text: string, colour: string, { plane, shape, number, place }: Scene): Sign[] {
  if (voxel[plane.slice_axis] !== number) return [];
  return [{ form: "diamond", at: [pointOfPixel(place, pixelOfVoxel(plane, shape, voxel))], text, colour }];
}

export function drawSigns(context: CanvasRenderingContext2D, signs: readonly Sign[]): void {
  context.font = FONT;
  for (const sign of signs) {
    if (sign.form === "frame") drawFrame(context, sign);
    else drawDiamond(context, sign);
  }
}

function drawFrame(context: CanvasRenderingContext2D, { at: [low, high], text, colour }: Sign): void {
  for (const [width, stroke, dash] of [
    [3.5, DARK, []],
    [1.5, colour, [7, 4]],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.setLineDash([...dash]);
    context.strokeRect(low!.x, low!.y, high!.x - low!.x, high!.y - low!.y);
  }
  context.setLineDash([]);
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.lineWidth = 3;
  context.strokeStyle = DARK;
  context.strokeText(text, low!.x, low!.y - 3);
  context.fillStyle = colour;
  context.fillText(text, low!.x, low!.y - 3);
}

function drawDiamond(context: CanvasRenderingContext2D, { at: [middle], text, colour }: Sign): void {
  const { x, y } = middle!;
  context.beginPath();
  context.moveTo(x, y - DIAMOND_RADIUS);
  for (const [dx, dy] of [
    [1, 0],
    [0, 1],
    [-1, 0],
  ] as const)
    context.lineTo(x + dx * DIAMOND_RADIUS, y + dy * DIAMOND_RADIUS);
  context.closePath();
  context.lineWidth = 1.5;
  context.fillStyle = DARK;
  context.fill();
  context.strokeStyle = colour;
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = colour;
  context.fillText(text, x, y + 0.5);
}
