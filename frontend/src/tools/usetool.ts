/** A tool without a pointer: used once at the crosshair, as if it were pressed there. */
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
  beginDrag(pane, at, { button: 0, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false })?.end();
}
