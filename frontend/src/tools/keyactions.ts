/** What the keys of the annotation view do, where it takes more than a word. */
import { stepOfWheelDown } from "../geometry/plane";
import { SLABS } from "../render/slab";
import * as display from "../state/display";
import { hideHypotheses, hypothesesOpen } from "../state/hypotheses";
import { refuseChange } from "../state/looking";
import { removeMeasurement } from "../state/measuring";
import { tell } from "../state/notices";
import { dropPreview, previewOpen, stepBack } from "../state/previewing";
import { toggleReasons } from "../state/reasons";
import { removeGiven } from "../state/refining";
import { toggled } from "../state/segments";
import type { CaseSession } from "../state/session";
import { isSeen, submitSession } from "../state/submitting";

export interface KeyScene {
  session: CaseSession;
  openDialog: (dialog: "skip" | "flag") => void;
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

/** A prompt that is out stays with its case. What lies on top goes first: hypotheses, reasons, the box, a maximised plane; then the case itself. */
export function stepOut(session: CaseSession, leave: () => void): void {
  const { advice } = session;
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
  const plane = session.active.value;
  session.moveSlice(plane, by * stepOfWheelDown(session.planes[plane]!, session.header.affine));
}

export function zoom(session: CaseSession, factor: number): void {
  const view = session.views[session.active.value]!;
  view.value = { ...view.value, zoom: Math.min(40, Math.max(0.25, view.value.zoom * factor)) };
}

export function turnChannel(session: CaseSession, by: 1 | -1): void {
  const views = session.channelViews;
  const at = views.indexOf(session.channel.value);
  session.channel.value = views[(at + by + views.length) % views.length]!;
}

export function nextSlab(): void {
  display.slab.value = SLABS[(SLABS.indexOf(display.slab.value) + 1) % SLABS.length]!;
}

export function take(tool: display.Tool): void {
  display.tool.value = tool;
}

export function flip(value: { value: boolean }): void {
  value.value = !value.value;
}

export function run(action: () => unknown): true {
  action();
  return true;
}
