/** Clicks, strokes and boxes that an engine answers. Ctrl or ⌘ turns a click or stroke into "this is not it". */
import type { PlaneHeader, Prompt, Region, Triple } from "../api/types";
import { clampVoxel, type Pixel, voxelOfPixel } from "../geometry/plane";
import { type Placement, pixelOfPoint } from "../geometry/viewport";
import { marksOf, POINT_RADIUS } from "../render/marks";
import { negative, tool } from "../state/display";
import { give } from "../state/refining";
import type { CaseSession, Drawing } from "../state/session";
import type { Drag, PaneContact } from "./contact";

/** Left, right, top and bottom. */
export const EXTREMES = 4;

/** An outline has a corner for so much of its way, in pixels of the slice. */
const CORNER_PIXELS = 0.5;

/** What a gesture on one slice needs to know. */
export interface Page {
  plane: PlaneHeader;
  shape: Triple;
  number: number;
}

export function prompting(contact: PaneContact, at: Pixel, event: PointerEvent): Drag | null {
  const { session } = contact;
  const positive = !(negative.value !== (event.ctrlKey || event.metaKey));
  const page = { plane: contact.plane, shape: session.header.shape, number: session.sliceNumber(contact.index) };
  const touched = tool.value === "point" ? markUnder(session, page, contact.place(), at) : null;
  if (touched) {
    session.chosenPrompt.value = session.chosenPrompt.value === touched ? null : touched;
    return null;
  }
  session.chosenPrompt.value = null;
  const start = pixelOfPoint(contact.place(), at);
  if (!isOnPage(start, page)) return null;
  if (tool.value === "point") {
    give(session, { kind: "point", voxel: voxelAt(start, page), label: session.label.value, positive });
    return null;
  }
  if (tool.value === "extremes") return clickingExtremes(session, voxelAt(start, page));
  if (tool.value === "lasso") return outlining(contact, page, start, positive);
  return tool.value === "box" ? boxing(contact, page, start) : scribbling(contact, page, start, positive);
}

function scribbling({ session, place }: PaneContact, page: Page, start: Pixel, positive: boolean): Drag {
  const label = session.label.value;
  const voxels = [voxelAt(start, page)];
  const seen = new Set(voxels.map(String));
  let last = start;
  const show = (): void => {
    session.drawing.value = { kind: "scribble", voxels: [...voxels], label, positive };
  };
  show();
  return {
    draws: true,
    move(at) {
      const next = pixelOfPoint(place(), at);
      for (const voxel of voxelsBetween(last, next, page)) {
        if (seen.has(String(voxel))) continue;
        seen.add(String(voxel));
        voxels.push(voxel);
      }
      last = next;
      show();
    },
    end: () => finish(session, { kind: "scribble", voxels, label, positive }),
    cancel: () => abandon(session),
  };
}

function boxing({ session, place }: PaneContact, page: Page, start: Pixel): Drag {
  const label = session.label.value;
  let box = boxBetween(start, start, page, label);
  session.drawing.value = box;
  return {
    draws: true,
    move(at) {
      box = boxBetween(start, pixelOfPoint(place(), at), page, label);
      session.drawing.value = box;
    },
    end: () => (isSlip(box) ? abandon(session) : finish(session, box)),
    cancel: () => abandon(session),
  };
}

/** Around what belongs to the label, or does not, on one slice; joined at its ends. */
function outlining({ session, place }: PaneContact, page: Page, start: Pixel, positive: boolean): Drag {
  const label = session.label.value;
  const axis = page.plane.slice_axis;
  const line = [start];
  const prompt = (): Prompt => {
    const corners = line.map((pixel): [number, number] => {
      const voxel = voxelOfPixel(page.plane, page.shape, onPage(pixel, page), page.number);
      return voxel.filter((_, n) => n !== axis) as [number, number];
    });
    return { kind: "lasso", axis, index: page.number, corners, label, positive };
  };
  const show = (): void => {
    session.drawing.value = prompt() as Drawing;
  };
  show();
  return {
    draws: true,
    move(at) {
      const next = pixelOfPoint(place(), at);
      const last = line.at(-1)!;
      if (Math.hypot(next.x - last.x, next.y - last.y) < CORNER_PIXELS) return;
      line.push(next);
      show();
    },
    end: () => (line.length < 3 ? abandon(session) : finish(session, prompt())),
    cancel: () => abandon(session),
  };
}

/** Four clicks on the outermost points of a structure are one gesture; in any order, on any slices. */
function clickingExtremes(session: CaseSession, voxel: Triple): null {
  const drawing = session.drawing.value;
  const label = session.label.value;
  const before = drawing?.kind === "extreme_points" && drawing.label === label ? drawing.voxels : [];
  const voxels = [...before.filter((other) => String(other) !== String(voxel)), voxel];
  if (voxels.length === EXTREMES) finish(session, { kind: "extreme_points", voxels, label });
  else session.drawing.value = { kind: "extreme_points", voxels, label };
  return null;
}

function finish(session: CaseSession, prompt: Prompt): void {
  session.drawing.value = null;
  give(session, prompt);
}

function abandon(session: CaseSession): void {
  session.drawing.value = null;
}

/** A box of one voxel's width is a slip of the hand. */
export const isSlip = ({ start, stop }: Region): boolean => stop.filter((end, axis) => end - start[axis]! > 1).length < 2;

const voxelAt = (pixel: Pixel, { plane, shape, number }: Page): Triple => clampVoxel(shape, voxelOfPixel(plane, shape, pixel, number));

function onPage({ x, y }: Pixel, { plane, shape }: Page): Pixel {
  const within = (value: number, axis: number): number => Math.min(shape[axis]! - 0.5, Math.max(-0.5, value));
  return { x: within(x, plane.x_axis), y: within(y, plane.y_axis) };
}

function isOnPage({ x, y }: Pixel, { plane, shape }: Page): boolean {
  return x >= -0.5 && y >= -0.5 && x <= shape[plane.x_axis]! - 0.5 && y <= shape[plane.y_axis]! - 0.5;
}

/** The voxels under a straight line, every one next to the one before; a line that leaves the slice follows its border. */
export function voxelsBetween(from: Pixel, to: Pixel, page: Page): Triple[] {
  const steps = Math.max(1, Math.ceil(Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y))));
  return Array.from({ length: steps }, (_, n) => {
    const share = (n + 1) / steps;
    return voxelAt({ x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) }, page);
  });
}

/** The box of the slice's voxels between two corners, both included. */
export function boxBetween(from: Pixel, to: Pixel, page: Page, label: number): Extract<Prompt, { kind: "box" }> {
  const [a, b] = [voxelAt(from, page), voxelAt(to, page)];
  const start = a.map((v, axis) => Math.min(v, b[axis]!)) as Triple;
  const stop = a.map((v, axis) => Math.max(v, b[axis]!) + 1) as Triple;
  return { kind: "box", start, stop, label };
}

/** The gesture whose sign is under the pointer, the newest first. */
function markUnder(session: CaseSession, page: Page, place: Placement, at: Pixel): string | null {
  const scene = { ...page, place, colourOf: () => "" };
  const given = [...(session.draft.value?.prompts.inForce.value ?? [])].reverse();
  const near = ({ x, y }: Pixel): boolean => Math.hypot(x - at.x, y - at.y) <= POINT_RADIUS + 1;
  return given.find(({ prompt }) => marksOf({ prompt }, scene).some((mark) => near(mark.at[0]!)))?.id ?? null;
}
