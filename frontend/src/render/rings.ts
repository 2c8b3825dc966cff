/** An outline that is still open: its line on a dark edge, dashed where it takes away, with a handle on its first point. */
import type { Pixel } from "../geometry/plane";

export interface RingMark {
  /** Points of the pane. */
  at: readonly Pixel[];
  colour: string;
  subtract: boolean;
}

const HANDLE = 4;

export function drawRing(context: CanvasRenderingContext2D, { at, colour, subtract }: RingMark): void {
  const [first] = at;
  if (!first) return;
  context.lineJoin = "round";
  for (const [width, stroke] of [
    [4, "rgba(0,0,0,0.7)"],
    [2, colour],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.setLineDash(subtract ? [5, 4] : []);
    context.beginPath();
    at.forEach(({ x, y }, n) => (n === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
  }
  context.setLineDash([]);
  context.fillStyle = colour;
  context.fillRect(first.x - HANDLE, first.y - HANDLE, 2 * HANDLE, 2 * HANDLE);
}
