/** The keyboard of the annotation view. One table serves the keys and the help overlay. */
import { stepOfWheelDown } from "../geometry/plane";
import * as display from "../state/display";
import { hideHypotheses, hypothesesOpen, stepHypothesis, takeHypothesis } from "../state/hypotheses";
import { pickLabel } from "../state/labelling";
import { changes, refuseChange, stepCase } from "../state/looking";
import { tell } from "../state/notices";
import { visitPlace } from "../state/places";
import { objectToReason, toggleReasons, withdrawObjection } from "../state/reasons";
import { fillSlices, removeGiven, step } from "../state/refining";
import { toggled } from "../state/segments";
import type { CaseSession } from "../state/session";
import { goBack, isSeen, submitSession, undoSubmission } from "../state/submitting";
import { isModifier, keyOf, moves } from "./keynames";

export interface KeyRule {
  keys: string;
  does: string;
  group: "Annotate" | "Look" | "Model" | "Draw" | "Page";
  for?: "segmentation" | "classification";
}

export const KEY_RULES: readonly KeyRule[] = [
  { group: "Annotate", keys: "Enter", does: "Submit and open the next case (Ctrl+Enter from anywhere)" },
  { group: "Annotate", keys: "1 … 9", does: "Choose the label or class" },
  { group: "Annotate", keys: "S", does: "Skip, with a reason" },
  { group: "Annotate", keys: "G", does: "Flag for somebody else" },
  { group: "Annotate", keys: "Backspace", does: "Back to the case annotated before" },
  { group: "Annotate", keys: "Shift + Backspace", does: "Take the last submission back" },
  { group: "Look", keys: "Wheel, ↑ ↓, PgUp PgDn", does: "Next or previous slice (Shift: ten)" },
  { group: "Look", keys: "Home, End", does: "First or last slice" },
  { group: "Look", keys: "← →", does: "Previous or next case, in a project that can be looked at only" },
  { group: "Look", keys: "Ctrl + wheel, + −", does: "Zoom at the pointer" },
  { group: "Look", keys: "Middle drag, Space + drag", does: "Pan" },
  { group: "Look", keys: "Right drag", does: "Window: ↔ width, ↕ centre" },
  { group: "Look", keys: "Shift + 1 … 9", does: "Window preset" },
  { group: "Look", keys: "Shift + I", does: "Invert black and white" },
  { group: "Look", keys: "Shift + click", does: "Move the crosshair, whatever the tool" },
  { group: "Look", keys: "H", does: "Show or hide the mask", for: "segmentation" },
  { group: "Look", keys: "Shift + H", does: "Show or hide the chosen label", for: "segmentation" },
  { group: "Look", keys: "O", does: "Outline instead of fill", for: "segmentation" },
  { group: "Look", keys: "M, double click", does: "Maximise one plane" },
  { group: "Look", keys: "Shift + M", does: "Hang one plane, one beside two, or two by two" },
  { group: "Look", keys: "Shift + P", does: "The next plane in the large pane" },
  { group: "Look", keys: "X", does: "Show or hide the crosshair" },
  { group: "Look", keys: "I", does: "Smooth or plain voxels" },
  { group: "Look", keys: ", .", does: "Previous or next channel" },
  { group: "Look", keys: "R", does: "Fit the image again; the window stays" },
  { group: "Look", keys: "Shift + R", does: "The image's own window again" },
  { group: "Model", keys: "N, Shift + N", does: "Next or previous place worth a look, the worst first", for: "segmentation" },
  { group: "Model", keys: "U", does: "Show or hide the model's uncertainty", for: "segmentation" },
  { group: "Model", keys: "P", does: "Show the model's proposal, dashed", for: "segmentation" },
  { group: "Model", keys: "K, Shift + K", does: "Alternatives of the model: next or previous hypothesis", for: "segmentation" },
  { group: "Model", keys: "J", does: "Take the hypothesis shown as the mask", for: "segmentation" },
  { group: "Model", keys: "Shift + J", does: "Take it in the box only, else in this slice", for: "segmentation" },
  { group: "Model", keys: "Y", does: "Its reasons: where it looks, which cases are alike" },
  { group: "Model", keys: "Z", does: "Draw a box for Shift + J and Q (a click removes it)" },
  { group: "Model", keys: "Q, Shift + Q", does: "This evidence in the box is irrelevant; withdraw that" },
  { group: "Draw", keys: "V", does: "Crosshair", for: "segmentation" },
  { group: "Draw", keys: "Alt + click, Shift + V", does: "Choose the label under the pointer, or at the crosshair", for: "segmentation" },
  { group: "Draw", keys: "Shift + L", does: "Lock or unlock the chosen label", for: "segmentation" },
  { group: "Draw", keys: "/", does: "Search the labels, where there are more than nine", for: "segmentation" },
  { group: "Draw", keys: "B", does: "Brush (Ctrl + drag erases)", for: "segmentation" },
  { group: "Draw", keys: "E", does: "Eraser", for: "segmentation" },
  { group: "Draw", keys: "Shift + E", does: "Push the outline: from inside outwards, from outside inwards", for: "segmentation" },
  { group: "Draw", keys: "F", does: "Fill an outline or region", for: "segmentation" },
  { group: "Draw", keys: "Shift + F", does: "Fill the slices between those drawn on", for: "segmentation" },
  { group: "Draw", keys: "C", does: "Prompt: click what belongs to the label", for: "segmentation" },
  { group: "Draw", keys: "L", does: "Prompt: a stroke along what belongs to it", for: "segmentation" },
  { group: "Draw", keys: "A", does: "Prompt: a box around the structure", for: "segmentation" },
  { group: "Draw", keys: "Shift + A", does: "Prompt: click its four outermost points", for: "segmentation" },
  { group: "Draw", keys: "Ctrl + click, T", does: "The next prompt marks what does not belong to it", for: "segmentation" },
  { group: "Draw", keys: "Del", does: "Remove the chosen prompt, or the last one", for: "segmentation" },
  { group: "Draw", keys: "W", does: "Window by dragging" },
  { group: "Draw", keys: "[ ]", does: "Smaller or larger brush (or Shift + wheel)", for: "segmentation" },
  { group: "Draw", keys: "D", does: "Brush as ball through slices", for: "segmentation" },
  { group: "Draw", keys: "Ctrl + Z", does: "Undo", for: "segmentation" },
  { group: "Draw", keys: "Ctrl + Shift + Z", does: "Redo (or Ctrl + Y)", for: "segmentation" },
  { group: "Page", keys: "Esc", does: "Cancel a stroke; close a dialog; put away hypotheses and reasons; back to the worklist" },
  { group: "Page", keys: "J K, ↑ ↓", does: "In lists: next or previous row; Enter opens it" },
  { group: "Page", keys: "X, Shift + X", does: "In the worklist: select the case, or all up to it" },
  {
    group: "Page",
    keys: "1 … 9, X, Shift + arrows",
    does: "In the grid: class what is selected, else the current picture; select; select on",
    for: "classification",
  },
  { group: "Page", keys: "?", does: "This overview" },
];

export interface KeyScene {
  session: CaseSession;
  openDialog: (dialog: "skip" | "flag") => void;
  leave: () => void;
}

/** True when the key meant something. A held key answers once, unless it only moves the view. */
export function pressKey(event: KeyboardEvent, scene: KeyScene): boolean {
  const { session } = scene;
  const key = keyOf(event);
  const command = event.ctrlKey || event.metaKey;
  if (isModifier(key) || (event.repeat && (command || !moves(key)))) return false;
  if (session.drag && (key === "Escape" || (command && key === "z"))) return run(() => session.drag!.abandon());
  if (session.drag?.draws) session.drag.finish();
  if ((session.busy.value !== "" || session.closed) && key !== "Escape" && !moves(key)) return false;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  const annotates = digit !== undefined && !event.shiftKey && session.project.kind === "classification";
  if (session.looksOnly && changes(key, event, annotates)) return run(() => refuseChange(session));
  if (command) return pressCommand(key, event.shiftKey, session);
  if (event.altKey) return false;
  if (digit) return pressDigit(Number(digit) - 1, event.shiftKey, session);
  if (key === "Enter") return run(() => void submitSession(session));
  const meant = SAME[key] ?? key;
  const press = PLAIN[meant] ?? (session.project.kind === "segmentation" ? DRAWING[meant] : undefined);
  return press !== undefined && press(scene, event.shiftKey) !== false;
}

function pressCommand(key: string, shifted: boolean, session: CaseSession): boolean {
  if (key === "Enter") return run(() => void submitSession(session));
  if (key === "z" && !shifted) return run(() => step(session, "undo"));
  if (key === "y" || key === "z") return run(() => step(session, "redo"));
  return false;
}

function pressDigit(place: number, shifted: boolean, session: CaseSession): boolean {
  if (shifted) {
    const preset = session.window.presets[place];
    if (preset) session.window.choose(preset);
    return preset !== undefined;
  }
  const label = session.labels[place];
  if (!label) return false;
  chooseLabel(session, label.value);
  return true;
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

type Press = (scene: KeyScene, shifted: boolean) => unknown;

const far = (shifted: boolean): number => (shifted ? 10 : 1);

/** What a key does in every task; false where it meant nothing. */
const PLAIN: Readonly<Record<string, Press>> = {
  ArrowDown: ({ session }, shifted) => scroll(session, far(shifted)),
  ArrowUp: ({ session }, shifted) => scroll(session, -far(shifted)),
  ArrowLeft: ({ session }) => session.looksOnly && void stepCase(session, -1),
  ArrowRight: ({ session }) => session.looksOnly && void stepCase(session, 1),
  "+": ({ session }) => zoom(session, 1.25),
  "-": ({ session }) => zoom(session, 0.8),
  Home: ({ session }) => scroll(session, -MAX_SLICES),
  End: ({ session }) => scroll(session, MAX_SLICES),
  r: ({ session }, shifted) => (shifted ? session.window.reset() : session.resetViews()),
  m: ({ session: { hanging, active, isFlat } }, shifted) => !isFlat && (shifted ? hanging.next("hanging") : hanging.maximise(active.value)),
  p: ({ session }, shifted) => {
    if (!shifted) return session.project.kind === "segmentation" && flip(display.proposalShown);
    return !session.isFlat && session.hanging.next("plane");
  },
  w: () => take(display.tool.value === "window" ? "navigate" : "window"),
  x: () => flip(display.crosshairShown),
  i: ({ session }, shifted) => (shifted ? session.window.invert() : flip(display.smooth)),
  ",": ({ session }) => turnChannel(session, -1),
  ".": ({ session }) => turnChannel(session, 1),
  s: ({ openDialog }) => openDialog("skip"),
  g: ({ openDialog }) => openDialog("flag"),
  v: ({ session }, shifted) => {
    if (shifted && session.project.kind === "segmentation") pickLabel(session, session.crosshair.value);
    else take("navigate");
  },
  Backspace: ({ session }, shifted) => (shifted ? void undoSubmission() : goBack(session)),
  y: ({ session }) => toggleReasons(session),
  z: () => take("region"),
  q: ({ session }, shifted) => void (shifted ? withdrawObjection(session) : objectToReason(session)),
  Escape: ({ session, leave }) => stepOut(session, leave),
};

/** What a key does besides in segmentations. */
const DRAWING: Readonly<Record<string, Press>> = {
  b: () => take("brush"),
  e: (_, shifted) => take(shifted ? "push" : "eraser"),
  f: ({ session }, shifted) => (shifted ? void fillSlices(session, session.active.value) : take("fill")),
  c: () => take("point"),
  l: ({ session }, shifted) => (shifted ? session.segments.toggleLock(session.label.value) : take("scribble")),
  "/": ({ session }) => session.labels.length > MOST_BY_KEY && display.labelSearch.value++,
  a: (_, shifted) => take(shifted ? "extremes" : "box"),
  t: () => flip(display.negative),
  Delete: ({ session }) => removeChosen(session),
  "[": () => display.resizeBrush(1 / 1.15),
  "]": () => display.resizeBrush(1.15),
  d: () => flip(display.ballBrush),
  h: ({ session }, shifted) => {
    if (shifted) session.hidden.value = toggled(session.hidden.value, session.label.value);
    else flip(display.maskShown);
  },
  u: () => flip(display.uncertaintyShown),
  o: () => flip(display.outlined),
  n: ({ session }, shifted) => void visitPlace(session, shifted ? -1 : 1),
  k: ({ session }, shifted) => void stepHypothesis(session, shifted ? -1 : 1),
  j: ({ session }, shifted) => takeHypothesis(session, shifted ? "part" : "whole"),
};

/** Keys that mean the same as another one, most of them because Shift is held. */
const SAME: Readonly<Record<string, string>> = { PageDown: "ArrowDown", PageUp: "ArrowUp", "=": "+", _: "-", "<": ",", ">": ".", "{": "[", "}": "]" };

/** The chosen gesture, else the last one. */
function removeChosen(session: CaseSession): boolean {
  const id = session.chosenPrompt.value ?? session.draft.value?.prompts.inForce.value.at(-1)?.id;
  if (id) removeGiven(session, id);
  return id !== undefined;
}

/** A gesture that is out stays with its case. What lies on top goes first: hypotheses, reasons, the box, a maximised plane; then the case itself. */
function stepOut(session: CaseSession, leave: () => void): void {
  const { advice } = session;
  if (session.refining.value) return tell("info", "The last prompt is still being computed", "leave when the result is there");
  if (hypothesesOpen(session)) hideHypotheses(session);
  else if (advice.reasonShown.value) toggleReasons(session);
  else if (session.drawing.value) session.drawing.value = null;
  else if (advice.region.value) advice.region.value = null;
  else if (session.hanging.maximised.value !== null) session.hanging.maximised.value = null;
  else leave();
}

/** More than any image has. */
const MAX_SLICES = 1e6;

function scroll(session: CaseSession, by: number): void {
  const plane = session.active.value;
  session.moveSlice(plane, by * stepOfWheelDown(session.planes[plane]!, session.header.affine));
}

function zoom(session: CaseSession, factor: number): void {
  const view = session.views[session.active.value]!;
  view.value = { ...view.value, zoom: Math.min(40, Math.max(0.25, view.value.zoom * factor)) };
}

function turnChannel(session: CaseSession, by: 1 | -1): void {
  const views = session.channelViews;
  const at = views.indexOf(session.channel.value);
  session.channel.value = views[(at + by + views.length) % views.length]!;
}

function take(tool: display.Tool): void {
  display.tool.value = tool;
}

function flip(value: { value: boolean }): void {
  value.value = !value.value;
}

function run(action: () => unknown): true {
  action();
  return true;
}
