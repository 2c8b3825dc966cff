/** A tool without a pointer: used once at the crosshair, as if it were pressed there. */
import { pixelOfVoxel } from "../geometry/plane";
import { pointOfPixel } from "../geometry/viewport";
import { tool } from "../state/display";
import { tell } from "../state/notices";
import type { CaseSession } from "../state/session";
import { panesOf } from "./contact";
import { beginDrag } from "./pointer";

const VIEWS: readonly string[] = ["navigate", "window", "region", "lasso", "box", "push"];

export function useTool(session: CaseSession): void {
  const pane = panesOf(session).get(session.active.value);
  if (!pane) return;
  if (VIEWS.includes(tool.value)) return tell("info", "This tool needs a drag", "a brush, polygon, fill, flood or click works at the crosshair");
  const at = pointOfPixel(pane.place(), pixelOfVoxel(pane.plane, session.header.shape, session.crosshair.value));
  beginDrag(pane, at, new PointerEvent("pointerdown"))?.end();
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Move the crosshair over the plane, as it is drawn; false for other keys. */
export function moveCrosshair(session: CaseSession, key: string, by: number): boolean {
  const arrow = ARROWS[key];
  if (!arrow) return false;
  const plane = session.planes[session.active.value]!;
  const next = [...session.crosshair.value] as [number, number, number];
  next[plane.x_axis]! += arrow[0] * by * (plane.x_flip ? -1 : 1);
  next[plane.y_axis]! += arrow[1] * by * (plane.y_flip ? -1 : 1);
  session.lookAt(next);
  return true;
}
