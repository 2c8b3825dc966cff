/** What a pointer does in a pane: which gesture a press begins, and what each gesture does until release. */

import type { PlaneHeader } from "../api/types";
import { mayChange } from "../edits/locks";
import { aloneIn, innerOf } from "../edits/nested";
import { Recorder } from "../edits/runs";
import { type Brush, sweepBrush } from "../geometry/brush";
import { clampVoxel, type Pixel, sliceOf, voxelOfPixel } from "../geometry/plane";
import { panBy, pixelOfPoint, zoomAt } from "../geometry/viewport";
import type { Rect } from "../render/slice";
import { ballBrush, brushRadiusMm, PROMPT_TOOLS, resizeBrush, slab, tool } from "../state/display";
import { isAtHand, mayDraw, mayEdit, pickLabel, reveal } from "../state/labelling";
import { MEASURING_TOOLS, refuseSlab } from "../state/measuring";
import { tell } from "../state/notices";
import { accept, flood } from "../state/operations";
import { mayErase, mayPaint, rangeInForce } from "../state/painting";
import { sayLocked } from "../state/segments";
import type { CaseSession } from "../state/session";
import type { Drag, PaneContact, Pressed } from "./contact";
import { findRegion } from "./fill";
import { measuring } from "./measure";
import { outlining } from "./outlining";
import { prompting } from "./prompting";
import { pushFrom } from "./push";
import { framing } from "./region";

export const held = { space: false };

export function beginDrag(contact: PaneContact, at: Pixel, event: Pressed): Drag | null {
  if (event.button === 1 || (event.button === 0 && held.space)) return panning(contact, at);
  if (event.button === 2) return windowing(contact, at);
  if (event.button !== 0) return null;
  if (event.altKey && contact.session.project.kind === "segmentation") return picking(contact, at);
  if (event.shiftKey || tool.value === "navigate") return pointing(contact, at);
  if (tool.value === "window") return windowing(contact, at);
  if (tool.value === "region") return framing(contact, at);
  if (slab.value !== "off") {
    refuseSlab();
    return null;
  }
  if (MEASURING_TOOLS.includes(tool.value)) return contact.session.looksOnly || contact.session.closed ? null : measuring(contact, at);
  if (!isAtHand(contact.session)) return null;
  if (tool.value === "polygon" || tool.value === "freehand") return mayEdit(contact.session) ? outlining(contact, at, event) : null;
  if (contact.session.editing.open.value) {
    accept(contact.session);
    return null;
  }
  if (PROMPT_TOOLS.includes(tool.value)) return prompting(contact, at, event);
  if (!mayEdit(contact.session)) return null;
  const erases = tool.value === "eraser" || (tool.value === "brush" && (event.ctrlKey || event.metaKey));
  if (!erases && !mayDraw(contact.session)) return null;
  if (tool.value === "flood") return flooding(contact, at);
  if (tool.value === "fill") return filling(contact, at);
  if (tool.value === "push") return pushing(contact, at);
  return stroking(contact, at, erases);
}

export function turnWheel(contact: PaneContact, at: Pixel, event: WheelEvent, steps: number, downwards: 1 | -1): void {
  const { session, index } = contact;
  if (event.shiftKey) return resizeBrush(steps > 0 ? 1 / 1.15 : 1.15);
  if (event.ctrlKey || event.metaKey || session.isPicture) {
    const centre = contact.centre();
    const view = session.views[index]!;
    view.value = zoomAt(view.value, 1.15 ** -steps, contact.place(), { x: at.x - centre.x, y: at.y - centre.y });
    return;
  }
  session.film.stop();
  session.moveSlice(index, steps * downwards);
}

function panning({ session, index, place }: PaneContact, start: Pixel): Drag {
  let last = start;
  const view = session.views[index]!;
  const move = (at: Pixel): void => {
    view.value = panBy(view.value, place(), at.x - last.x, at.y - last.y);
    last = at;
  };
  return { move, end: nothing, cancel: nothing };
}

/** Right: wider; down: darker (a higher centre). A pane's width spans the image's own window once. */
function windowing({ session }: PaneContact, start: Pixel): Drag {
  const first = session.window.value;
  const [own] = session.window.presets;
  const perPoint = Math.max(first.high - first.low, (own!.high - own!.low) / 8) / 300;
  const smallest = (own!.high - own!.low) / 4096 || 1e-6;
  const move = (at: Pixel): void => {
    const width = Math.max(smallest, first.high - first.low + (at.x - start.x) * perPoint);
    const centre = (first.low + first.high) / 2 + (at.y - start.y) * perPoint;
    session.window.value = { low: centre - width / 2, high: centre + width / 2 };
  };
  return { move, end: () => session.window.keep(), cancel: () => session.window.keep() };
}

function pointing(contact: PaneContact, start: Pixel): Drag {
  const { session, index, plane } = contact;
  const move = (at: Pixel): void => {
    session.lookAt(voxelOfPixel(plane, session.header.shape, pixelOfPoint(contact.place(), at), session.sliceNumber(index)));
  };
  move(start);
  return { move, end: nothing, cancel: nothing };
}

function flooding({ session, plane, index, place }: PaneContact, at: Pixel): null {
  const { shape } = session.header;
  const voxel = voxelOfPixel(plane, shape, pixelOfPoint(place(), at), session.sliceNumber(index));
  const seed = clampVoxel(shape, voxel);
  if (seed.every((n, axis) => Math.abs(n - voxel[axis]!) <= 0.5)) flood(session, index, seed);
  return null;
}

/** Take the label under the pointer. */
function picking({ session, plane, index, place }: PaneContact, at: Pixel): null {
  const { shape } = session.header;
  pickLabel(session, clampVoxel(shape, voxelOfPixel(plane, shape, pixelOfPoint(place(), at), session.sliceNumber(index))));
  return null;
}

function stroking(contact: PaneContact, start: Pixel, erases: boolean): Drag {
  const { session } = contact;
  const recorder = new Recorder(session.draft.value!.mask, erases ? 0 : session.label.value, erases ? mayErase(session) : mayPaint(session), session.land);
  return sweeping(contact, start, recorder, { radiusMm: brushRadiusMm.value, ball: ballBrush.value && !session.isFlat });
}

function pushing(contact: PaneContact, start: Pixel): Drag {
  const { session, index, plane } = contact;
  const { mask } = session.draft.value!;
  const label = session.label.value;
  const at = pixelOfPoint(contact.place(), start);
  const push = pushFrom(aloneIn(mask, session.project.labels, label), label, plane, session.header.shape, session.sliceNumber(index), at, brushRadiusMm.value);
  const [may, inner] = [mayPaint(session), innerOf(session.project.labels, label)];
  const own = (old: number): boolean => old === label || inner.has(old);
  const recorder = push.inwards
    ? new Recorder(mask, 0, (old, to, index) => own(old) && may(old, to, index), session.land)
    : new Recorder(mask, label, may, session.land);
  return sweeping(contact, start, recorder, { radiusMm: push.radiusMm, ball: false });
}

/** Record what a brush goes over until release. */
function sweeping(contact: PaneContact, start: Pixel, recorder: Recorder, brush: Brush): Drag {
  const { session, index, plane } = contact;
  const { shape, spacing_mm } = session.header;
  const draft = session.draft.value!;
  const number = session.sliceNumber(index);
  let last = pixelOfPoint(contact.place(), start);
  const move = (at: Pixel): void => {
    const next = pixelOfPoint(contact.place(), at);
    const before = recorder.size;
    sweepBrush(plane, shape, spacing_mm, number, last, next, brush, (voxel) => recorder.paint(voxel));
    if (recorder.size > before) contact.painted(around(plane, session, last, next, brush.radiusMm));
    last = next;
  };
  reveal(session);
  move(start);
  return {
    draws: true,
    move,
    end: () => commit(session, recorder),
    cancel: () => {
      recorder.abandon();
      draft.changed();
    },
  };
}

function filling({ session, index, plane, place }: PaneContact, start: Pixel): Drag | null {
  const { shape } = session.header;
  const draft = session.draft.value!;
  const slice = sliceOf(plane, shape, session.sliceNumber(index));
  const region = findRegion(draft.mask, slice, pixelOfPoint(place(), start));
  if (region.leaks) {
    tell("warning", "This outline is open: filling would run to the border of the slice", "close it with the brush, then fill");
    return null;
  }
  const may = mayChange(session.locks);
  const stands = new Set(Array.from(region.indices.subarray(0, 1), (voxel) => draft.mask[voxel]!)); // one value all over
  if ([...stands].some((value) => !may(value, session.label.value))) {
    if ([...stands].some((value) => session.locked.value.has(value))) sayLocked(session, stands);
    else tell("info", "This region belongs to another label, which is kept", "uncheck “Keep others” to fill it");
    return null;
  }
  const recorder = new Recorder(draft.mask, session.label.value, mayPaint(session), session.land);
  region.indices.forEach((voxel) => recorder.paint(voxel));
  reveal(session);
  commit(session, recorder);
  return null;
}

function commit(session: CaseSession, recorder: Recorder): void {
  session.draft.value!.commit(recorder.edit());
  sayLocked(session, recorder.kept);
  if (recorder.size === 0 && recorder.kept.size > 0 && rangeInForce(session))
    tell("info", "No change: no value here lies in the range", "change the range above the image");
}

function around(plane: PlaneHeader, session: CaseSession, from: Pixel, to: Pixel, radiusMm: number): Rect {
  const [rx, ry] = [radiusMm / plane.x_spacing_mm + 2, radiusMm / plane.y_spacing_mm + 2];
  const [width, height] = [session.header.shape[plane.x_axis]!, session.header.shape[plane.y_axis]!];
  return {
    left: Math.max(0, Math.floor(Math.min(from.x, to.x) - rx)),
    top: Math.max(0, Math.floor(Math.min(from.y, to.y) - ry)),
    right: Math.min(width, Math.ceil(Math.max(from.x, to.x) + rx)),
    bottom: Math.min(height, Math.ceil(Math.max(from.y, to.y) + ry)),
  };
}

function nothing(): void {
  // These gestures take effect while they move.
}
