/** A tool without a pointer: used once at the crosshair, as if it were pressed there. */
import type { Triple } from "../api/types";
import { pixelOfVoxel } from "../geometry/plane";
import { pointOfPixel } from "../geometry/viewport";
import { tool } from "../state/display";
import { MEASURING_TOOLS, placeAtCrosshair } from "../state/measuring";
import { tell } from "../state/notices";
import type { CaseSession } from "../state/session";
import { panesOf } from "./contact";
import { beginDrag } from "./pointer";

const VIEWS: readonly string[] = ["navigate", "window", "region", "freehand", "box", "push"];

export function useTool(session: CaseSession): void {
  if (MEASURING_TOOLS.includes(tool.value)) return placeAtCrosshair(session);
  const pane = panesOf(session).get(session.active.value);
  if (!pane) return;
  if (VIEWS.includes(tool.value)) return tell("info", "This tool needs a drag", "a brush, polygon, fill, flood or click works at the crosshair");
  const at = pointOfPixel(pane.place(), pixelOfVoxel(pane.plane, session.header.shape, session.crosshair.value));
  beginDrag(pane, at, new PointerEvent("pointerdown"))?.end();
}

/** Move the crosshair over the plane, as it is drawn, by voxels. */
export function moveCrosshair(session: CaseSession, right: number, down: number): void {
  const plane = session.planes[session.active.value]!;
  const next: Triple = [...session.crosshair.value];
  next[plane.x_axis]! += plane.x_flip ? -right : right;
  next[plane.y_axis]! += plane.y_flip ? -down : down;
  session.lookAt(next);
}
