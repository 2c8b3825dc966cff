/** What the keys of the annotation view do, where it takes more than a word. */
import { pixelOfVoxel, voxelOfPixel } from "../geometry/plane";
import { panBy } from "../geometry/viewport";
import { SLABS } from "../render/slab";
import * as display from "../state/display";
import { hideHypotheses, hypothesesOpen } from "../state/hypotheses";
import { refuseChange } from "../state/looking";
import { removeMeasurement } from "../state/measuring";
import { tell } from "../state/notices";
import { accept, cancel, closeRing, resizeOperation } from "../state/operations";
import { accept as acceptPrompts, dropPreview, previewOpen, stepBack } from "../state/previewing";
import { toggleReasons } from "../state/reasons";
import { removeGiven } from "../state/refining";
import { toggled } from "../state/segments";
import type { CaseSession } from "../state/session";
import { goBack, isSeen, submitSession } from "../state/submitting";
import { panesOf } from "./contact";

export interface KeyScene {
  session: CaseSession;
  openDialog: (dialog: "skip" | "flag" | "replay") => void;
  leave: () => void;
}

export function labelNames({ session }: KeyScene): string[] {
  return session.labels.slice(0, MOST_BY_KEY).map(({ name }) => name);
}

export function presetNames({ session }: KeyScene): string[] {
  return session.window.presets.slice(0, MOST_BY_KEY).map(({ name }) => name);
}

export function takePreset(session: CaseSession, place: number): boolean {
  const preset = session.window.presets[place];
  if (preset) session.window.choose(preset);
  return preset !== undefined;
}

export function takeLabel(session: CaseSession, place: number): boolean {
  const label = session.labels[place];
  if (label) chooseLabel(session, label.value);
  return label !== undefined;
}

export function hideLabel({ hidden, label }: CaseSession): void {
  hidden.value = toggled(hidden.value, label.value);
}

export function noStep(can: "canUndo" | "canRedo", verb: string): (scene: KeyScene) => string {
  return ({ session }) => (session.draft.value?.[can].value || previewOpen(session) ? "" : `There is nothing to ${verb}`);
}

/** Take a label into the brush, or answer with a class. */
export function chooseLabel(session: CaseSession, value: number): void {
  if (session.project.kind === "segmentation") session.label.value = value;
  else if (session.looksOnly) refuseChange(session);
  else chooseClass(session, value);
}

function chooseClass(session: CaseSession, value: number): void {
  session.effort.changed(performance.now());
  if (!display.oneKeyAnnotates.value) session.tag.value = value;
  else if (session.busy.value === "" && !session.closed && isSeen(session)) annotateWith(session, value);
}

function annotateWith(session: CaseSession, value: number): void {
  session.tag.value = value;
  void submitSession(session);
}

/** Labels that a digit chooses. */
export const MOST_BY_KEY = 9;

/** The measurement in hand, else the chosen prompt, else the last one. */
export function removeChosen(session: CaseSession): boolean {
  if (previewOpen(session)) return run(() => stepBack(session));
  const measured = session.measurements.kept.value.find(({ id, own }) => own && id === session.measurements.chosen.value);
  if (measured) return run(() => removeMeasurement(session, measured.id));
  const id = session.chosenPrompt.value ?? session.draft.value?.prompts.inForce.value.at(-1)?.id;
  if (id) removeGiven(session, id);
  return id !== undefined;
}

/** What waits for a yes gets it; else the case is submitted. */
export function confirm(session: CaseSession): void {
  const { ring, open } = session.editing;
  if (ring.value) closeRing(session);
  else if (open.value) accept(session);
  else if (previewOpen(session)) acceptPrompts(session);
  else void submitSession(session);
}

export function goBackOne(session: CaseSession): void {
  if (session.editing.ring.value) session.editing.dropPoint();
  else goBack(session);
}

export function resize(session: CaseSession, factor: number): void {
  if (session.editing.open.value) resizeOperation(session, factor);
  else display.resizeBrush(factor);
}

/** A key that is down for longer is held and not pressed. */
const HELD_MS = 400;
let pressedAt = Number.NaN;

export function toggleMask(): void {
  pressedAt = performance.now();
  flip(display.maskShown);
}

/** The key that shows or hides the mask is let go: what changed for as long as it was held is as before. */
export function releaseMask(now: number): void {
  if (now - pressedAt > HELD_MS) flip(display.maskShown);
  pressedAt = Number.NaN;
}

/** A prompt that is out stays with its case. What lies on top goes first: an operation, hypotheses, reasons, the box, a maximised plane; then the case itself. */
export function putAway(session: CaseSession, leave: () => void): void {
  const { advice } = session;
  if (session.editing.pending) return cancel(session);
  if (previewOpen(session)) return dropPreview(session);
  if (session.refining.value) return tell("info", "The last prompt is still being computed", "leave when the result is there");
  if (hypothesesOpen(session)) hideHypotheses(session);
  else if (advice.reasonShown.value) toggleReasons(session);
  else if (session.drawing.value) session.drawing.value = null;
  else if (session.measurements.placing.value) session.measurements.placing.value = null;
  else if (session.measurements.chosen.value) session.measurements.chosen.value = null;
  else if (advice.region.value) advice.region.value = null;
  else if (session.hanging.maximised.value !== null) session.hanging.maximised.value = null;
  else leave();
}

/** More than any image has. */
export const MAX_SLICES = 1e6;

export function scroll(session: CaseSession, by: number): void {
  session.film.stop();
  const plane = session.active.value;
  session.moveSlice(plane, by * session.stepDown(plane));
}

/** A film stands still for who goes through it by hand. */
export function stepFrame(session: CaseSession, by: number): void {
  session.film.stop();
  session.moveSlice(session.active.value, by);
}

export function zoom(session: CaseSession, factor: number): void {
  const view = session.views[session.active.value]!;
  view.value = { ...view.value, zoom: Math.min(40, Math.max(0.25, view.value.zoom * factor)) };
}

/** Move the crosshair within the plane that is looked at, in pixels as drawn. */
export function moveCrosshair(session: CaseSession, dx: number, dy: number): void {
  const plane = session.planes[session.active.value]!;
  const { shape } = session.header;
  const { x, y } = pixelOfVoxel(plane, shape, session.crosshair.value);
  session.lookAt(voxelOfPixel(plane, shape, { x: x + dx, y: y + dy }, session.sliceNumber(session.active.value)));
}

/** Pan the plane that is looked at by a tenth of its pane. */
export function panPlane(session: CaseSession, dx: number, dy: number): void {
  const contact = panesOf(session).get(session.active.value);
  const view = session.views[session.active.value]!;
  if (contact) view.value = panBy(view.value, contact.place(), (dx * contact.centre().x) / 5, (dy * contact.centre().y) / 5);
}

export function turnChannel(session: CaseSession, by: 1 | -1): void {
  const views = session.channelViews;
  const at = views.indexOf(session.channel.value);
  session.channel.value = views[(at + by + views.length) % views.length]!;
}

export function nextSlab(): void {
  display.slab.value = SLABS[(SLABS.indexOf(display.slab.value) + 1) % SLABS.length]!;
}

export function flip(value: { value: boolean }): void {
  value.value = !value.value;
}

export function run(action: () => unknown): true {
  action();
  return true;
}
