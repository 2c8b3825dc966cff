/** The keyboard of the annotation view: one entry per line; the overview, the palette and every tooltip are made from it. */
import { choosesLabels, toggleAnnotated } from "../state/annotated";
import * as display from "../state/display";
import { stepHypothesis, takeHypothesis } from "../state/hypotheses";
import { pickLabel } from "../state/labelling";
import { refuseChange, stepCase } from "../state/looking";
import { flipMarks, markHere } from "../state/markmode";
import { measureLabel, nextMeasuringTool, placeAtCrosshair } from "../state/measuring";
import { placeName, stepName } from "../state/named";
import { operate, saveTrace, takeRange, takeTool, throughOf, toggleRange } from "../state/operations";
import { togglePart } from "../state/ownparts";
import { visitPlace } from "../state/places";
import { compareProposal, rejectProposal, takeProposal } from "../state/proposals";
import { objectToReason, toggleReasons, withdrawObjection } from "../state/reasons";
import { fillSlices, step } from "../state/refining";
import { type CaseSession, whyLooksOnly } from "../state/session";
import { rejectSession, undoSubmission } from "../state/submitting";
import {
  confirm,
  flip,
  goBackOne,
  hideLabel,
  type KeyScene,
  labelNames,
  MAX_SLICES,
  MOST_BY_KEY,
  moveCrosshair,
  nextSlab,
  noStep,
  panPlane,
  presetNames,
  putAway,
  releaseMask,
  removeChosen,
  resize,
  run,
  scroll,
  takeLabel,
  takePreset,
  toggleMask,
  turnChannel,
  zoom,
} from "./keyactions";
import { isModifier } from "./keynames";
import { attempt, type KeyAction, meant } from "./keytable";
import { useTool } from "./usetool";

const SEG = "segmentation";
const volume = ({ session }: KeyScene): boolean => !session.isFlat;
const referenced = ({ session }: KeyScene): boolean => session.header.references > 0;
const film = ({ session }: KeyScene): boolean => session.isFilm;
const named = ({ session }: KeyScene): boolean => session.named.value.length > 0;
const checked = ({ session }: KeyScene): boolean => session.opened.assignment.kind === "verify" && session.purpose === "read";
const slices = ({ session }: KeyScene): boolean => !session.isPicture;
const looking = ({ session }: KeyScene): boolean => session.looksOnly;
const drawn = ({ session }: KeyScene): string => (session.draft.value || session.looksOnly ? "" : "The case is still loading");

/** In the order of the overview. An entry: id, group, default keys, words; what it needs; what it does. */
// biome-ignore format: one entry per line, so that branches which add keys merge
export const CASE_KEYS = [
  { id: "submit", group: "Annotate", keys: ["Enter", "Ctrl+Enter"], does: "Accept what a preview would do, or close an outline; else submit and open the next case", changes: true, run: ({ session }) => confirm(session) },
  { id: "label", group: "Annotate", keys: ["1…9"], does: "Choose the label", for: SEG, each: labelNames, run: ({ session }, at) => takeLabel(session, at) },
  { id: "class", group: "Annotate", keys: ["1…9"], does: "Choose the class", for: "classification", changes: true, each: labelNames, run: ({ session }, at) => takeLabel(session, at) },
  { id: "skip", group: "Annotate", keys: ["S"], does: "Skip, with a reason", changes: true, run: ({ openDialog }) => openDialog("skip") },
  { id: "flag", group: "Annotate", keys: ["G"], does: "Flag for somebody else", changes: true, run: ({ openDialog }) => openDialog("flag") },
  { id: "replay", group: "Look", keys: ["Alt+R"], does: "Replay how a mask came about, step by step", for: SEG, run: ({ openDialog }) => openDialog("replay") },
  { id: "back", group: "Annotate", keys: ["Backspace"], does: "Back to the case annotated before; in a polygon, its last point goes", run: ({ session }) => goBackOne(session) },
  { id: "undo-submit", group: "Annotate", keys: ["Shift+Backspace"], does: "Take the last submission back", changes: true, run: () => void undoSubmission() },
  { id: "slice-next", group: "Look", keys: ["ArrowDown", "PageDown"], mouse: "Wheel", does: "Next slice", held: true, compares: true, run: ({ session }) => scroll(session, 1) },
  { id: "slice-back", group: "Look", keys: ["ArrowUp", "PageUp"], does: "Previous slice", held: true, compares: true, run: ({ session }) => scroll(session, -1) },
  { id: "slices-next", group: "Look", keys: ["Shift+ArrowDown", "Shift+PageDown"], does: "Ten slices on", held: true, compares: true, run: ({ session }) => scroll(session, 10) },
  { id: "slices-back", group: "Look", keys: ["Shift+ArrowUp", "Shift+PageUp"], does: "Ten slices back", held: true, compares: true, run: ({ session }) => scroll(session, -10) },
  { id: "slice-first", group: "Look", keys: ["Home"], does: "First slice", held: true, compares: true, run: ({ session }) => scroll(session, -MAX_SLICES) },
  { id: "slice-last", group: "Look", keys: ["End"], does: "Last slice", held: true, compares: true, run: ({ session }) => scroll(session, MAX_SLICES) },
  { id: "play", group: "Look", keys: ["Space"], does: "Play the film, or pause it", on: film, compares: true, run: ({ session }) => session.film.toggle() },
  { id: "name-next", group: "Look", keys: ["Alt+N"], does: "Next named frame or slice", on: named, run: ({ session }) => stepName(session, 1) },
  { id: "name-back", group: "Look", keys: ["Alt+Shift+N"], does: "Previous named frame or slice", on: named, run: ({ session }) => stepName(session, -1) },
  { id: "name-here", group: "Annotate", keys: ["Alt+F"], does: "The name gone to last stands for the frame or slice on the screen", changes: true, on: named, run: ({ session }) => void placeName(session) },
  { id: "cross-left", group: "Look", keys: ["Ctrl+ArrowLeft"], does: "Crosshair to the left", held: true, run: ({ session }) => moveCrosshair(session, -1, 0) },
  { id: "cross-right", group: "Look", keys: ["Ctrl+ArrowRight"], does: "Crosshair to the right", held: true, run: ({ session }) => moveCrosshair(session, 1, 0) },
  { id: "cross-up", group: "Look", keys: ["Ctrl+ArrowUp"], does: "Crosshair up", held: true, run: ({ session }) => moveCrosshair(session, 0, -1) },
  { id: "cross-down", group: "Look", keys: ["Ctrl+ArrowDown"], does: "Crosshair down", held: true, run: ({ session }) => moveCrosshair(session, 0, 1) },
  { id: "pan-left", group: "Look", keys: ["Ctrl+Shift+ArrowLeft"], does: "Pan to the left", held: true, run: ({ session }) => panPlane(session, 1, 0) },
  { id: "pan-right", group: "Look", keys: ["Ctrl+Shift+ArrowRight"], does: "Pan to the right", held: true, run: ({ session }) => panPlane(session, -1, 0) },
  { id: "pan-up", group: "Look", keys: ["Ctrl+Shift+ArrowUp"], does: "Pan up", held: true, run: ({ session }) => panPlane(session, 0, 1) },
  { id: "pan-down", group: "Look", keys: ["Ctrl+Shift+ArrowDown"], does: "Pan down", held: true, run: ({ session }) => panPlane(session, 0, -1) },
  { id: "case-back", group: "Look", keys: ["ArrowLeft"], does: "Previous case, in a project that can be looked at only", on: looking, run: ({ session }) => void stepCase(session, -1) },
  { id: "case-next", group: "Look", keys: ["ArrowRight"], does: "Next case, in a project that can be looked at only", on: looking, run: ({ session }) => void stepCase(session, 1) },
  { id: "zoom-in", group: "Look", keys: ["+"], mouse: "Ctrl + wheel, pinch", does: "Zoom in", held: true, compares: true, run: ({ session }) => zoom(session, 1.25) },
  { id: "zoom-out", group: "Look", keys: ["-"], does: "Zoom out", held: true, compares: true, run: ({ session }) => zoom(session, 0.8) },
  { id: "pan", group: "Look", keys: [], mouse: "Middle drag, Space + drag, two fingers", does: "Pan" },
  { id: "window-drag", group: "Look", keys: [], mouse: "Right drag", does: "Window: ↔ width, ↕ centre" },
  { id: "preset", group: "Look", keys: ["Shift+1…9"], does: "Window preset", compares: true, each: presetNames, run: ({ session }, at) => takePreset(session, at) },
  { id: "invert", group: "Look", keys: ["Shift+I"], does: "Invert black and white", compares: true, run: ({ session }) => session.window.invert() },
  { id: "point", group: "Look", keys: [], mouse: "Shift + click", does: "Move the crosshair, whatever the tool" },
  { id: "mask", group: "Look", keys: ["H"], does: "Show or hide the mask; while held, only for that long", for: SEG, run: () => toggleMask() },
  { id: "hide-label", group: "Look", keys: ["Shift+H"], does: "Show or hide the chosen label", for: SEG, run: ({ session }) => hideLabel(session) },
  { id: "outline", group: "Look", keys: ["O"], does: "Outline instead of fill", for: SEG, compares: true, run: () => flip(display.outlined) },
  { id: "maximise", group: "Look", keys: ["M"], mouse: "Double click", does: "Maximise one plane", on: volume, compares: true, run: ({ session: { hanging, active } }) => hanging.maximise(active.value) },
  { id: "hang", group: "Look", keys: ["Shift+M"], does: "Hang one plane, one beside two, or two by two", on: volume, compares: true, run: ({ session }) => session.hanging.next("hanging") },
  { id: "plane", group: "Look", keys: ["Shift+P"], does: "The next plane in the large pane", on: volume, run: ({ session }) => session.hanging.next("plane") },
  { id: "crosshair", group: "Look", keys: ["X"], does: "Show or hide the crosshair", compares: true, run: () => flip(display.crosshairShown) },
  { id: "smooth", group: "Look", keys: ["I"], does: "Smooth or plain voxels", compares: true, run: () => flip(display.smooth) },
  { id: "channel-back", group: "Look", keys: [","], does: "Previous channel", compares: true, run: ({ session }) => turnChannel(session, -1) },
  { id: "channel-next", group: "Look", keys: ["."], does: "Next channel", compares: true, run: ({ session }) => turnChannel(session, 1) },
  { id: "slab", group: "Look", keys: ["\\"], does: "Slab of slices: largest, smallest or mean value, off", on: volume, run: () => nextSlab() },
  { id: "surface", group: "Look", keys: ["Shift+Z"], does: "3D surface of the segments", for: SEG, on: volume, run: () => flip(display.surfaceShown) },
  { id: "reference", group: "Look", keys: ["Alt+B"], does: "Another series of the patient beside the image", on: referenced, run: () => flip(display.referenceShown) },
  { id: "reference-next", group: "Look", keys: ["Alt+Shift+B"], does: "The next series beside the image", on: referenced, run: () => display.nextReference.value++ },
  { id: "measure", group: "Look", keys: ["'"], does: "Measure: ruler, angle, ellipse, rectangle in turn", changes: true, run: ({ session }) => nextMeasuringTool(session) },
  { id: "measure-point", group: "Look", keys: [";"], does: "Measure: a point at the crosshair, or move the nearest end there", changes: true, run: ({ session }) => placeAtCrosshair(session) },
  { id: "measure-slice", group: "Look", keys: ["Alt+M"], does: "Measure the chosen label in this slice", for: SEG, changes: true, why: drawn, run: ({ session }) => void measureLabel(session, "slice") },
  { id: "measure-volume", group: "Look", keys: ["Alt+Shift+M"], does: "Measure the chosen label in the whole volume", for: SEG, changes: true, on: volume, why: drawn, run: ({ session }) => void measureLabel(session, "volume") },
  { id: "fit", group: "Look", keys: ["R"], does: "Fit the image again; the window stays", compares: true, run: ({ session }) => session.resetViews() },
  { id: "window-own", group: "Look", keys: ["Shift+R"], does: "The image's own window again", compares: true, run: ({ session }) => session.window.reset() },
  { id: "place-next", group: "Model", keys: ["N"], does: "Next place worth a look, the worst first", for: SEG, run: ({ session }) => void visitPlace(session, 1) },
  { id: "place-back", group: "Model", keys: ["Shift+N"], does: "Previous place worth a look", for: SEG, run: ({ session }) => void visitPlace(session, -1) },
  { id: "uncertainty", group: "Model", keys: ["U"], does: "Show or hide the model's uncertainty", for: SEG, run: () => flip(display.uncertaintyShown) },
  { id: "proposal", group: "Model", keys: ["P"], does: "Show the model's proposal, dashed", for: SEG, run: () => flip(display.proposalShown) },
  { id: "proposal-compare", group: "Model", keys: ["Alt+P"], does: "Both as outlines: the draft solid, the proposal dashed", for: SEG, run: () => compareProposal() },
  { id: "proposal-take", group: "Model", keys: ["Alt+T"], does: "All of the proposal again", for: SEG, changes: true, why: drawn, run: ({ session }) => takeProposal(session) },
  { id: "proposal-reject", group: "Model", keys: ["Alt+X"], does: "Reject the proposal: empty the draft", for: SEG, changes: true, why: drawn, run: ({ session }) => rejectProposal(session) },
  { id: "verify-reject", group: "Annotate", keys: ["Alt+Shift+X"], does: "Of a case that is queried for a check: reject the proposal, and go on", for: SEG, changes: true, on: checked, run: ({ session }) => void rejectSession(session) },
  { id: "accept-at-once", group: "Draw", keys: ["Alt+A"], does: "Save what prompts do at once, or show it first", for: SEG, run: () => flip(display.acceptAtOnce) },
  { id: "hypothesis-next", group: "Model", keys: ["K"], does: "Alternatives of the model: next hypothesis", for: SEG, why: drawn, run: ({ session }) => void stepHypothesis(session, 1) },
  { id: "hypothesis-back", group: "Model", keys: ["Shift+K"], does: "Previous hypothesis", for: SEG, why: drawn, run: ({ session }) => void stepHypothesis(session, -1) },
  { id: "hypothesis-take", group: "Model", keys: ["J"], does: "Take the hypothesis shown as the mask", for: SEG, changes: true, run: ({ session }) => takeHypothesis(session, "whole") },
  { id: "hypothesis-part", group: "Model", keys: ["Shift+J"], does: "Take it in the box only, else in this slice", for: SEG, changes: true, run: ({ session }) => takeHypothesis(session, "part") },
  { id: "reasons", group: "Model", keys: ["Y"], does: "Its reasons: where it looks, which cases are alike", run: ({ session }) => toggleReasons(session) },
  { id: "region", group: "Model", keys: ["Z"], does: "Draw a box to take a hypothesis in, or for evidence that is irrelevant (a click removes it)", changes: true, run: ({ session }) => takeTool(session, "region") },
  { id: "object", group: "Model", keys: ["Q"], does: "This evidence in the box is irrelevant", changes: true, run: ({ session }) => void objectToReason(session) },
  { id: "object-withdraw", group: "Model", keys: ["Shift+Q"], does: "Withdraw that", changes: true, run: ({ session }) => void withdrawObjection(session) },
  { id: "navigate", group: "Draw", keys: ["V"], does: "Crosshair", run: ({ session }) => takeTool(session, "navigate") },
  { id: "window", group: "Draw", keys: ["W"], does: "Window by dragging", compares: true, run: ({ session }) => takeTool(session, display.tool.value === "window" ? "navigate" : "window") },
  { id: "pick", group: "Draw", keys: ["Shift+V"], mouse: "Alt + click", does: "Choose the label at the crosshair, or under the pointer", for: SEG, run: ({ session }) => pickLabel(session, session.crosshair.value) },
  { id: "lock", group: "Draw", keys: ["Shift+L"], does: "Lock or unlock the chosen label", for: SEG, changes: true, run: ({ session }) => session.toggleLock(session.label.value) },
  { id: "annotated", group: "Annotate", keys: ["Alt+I"], does: "The chosen label is annotated in this case, or is not", for: SEG, changes: true, on: ({ session }) => choosesLabels(session), run: ({ session }) => toggleAnnotated(session, session.label.value) },
  { id: "search-labels", group: "Draw", keys: ["/"], does: "Search the labels, where there are more than nine", for: SEG, on: ({ session }) => session.labels.length > MOST_BY_KEY, run: () => void display.labelSearch.value++ },
  { id: "brush", group: "Draw", keys: ["B"], does: "Brush (Ctrl + drag erases)", for: SEG, changes: true, run: ({ session }) => takeTool(session, "brush") },
  { id: "eraser", group: "Draw", keys: ["E"], does: "Eraser", for: SEG, changes: true, run: ({ session }) => takeTool(session, "eraser") },
  { id: "push", group: "Draw", keys: ["Shift+E"], does: "Push the outline: from inside outwards, from outside inwards", for: SEG, changes: true, run: ({ session }) => takeTool(session, "push") },
  { id: "fill", group: "Draw", keys: ["F"], does: "Fill an outline or region", for: SEG, changes: true, run: ({ session }) => takeTool(session, "fill") },
  { id: "fill-between", group: "Draw", keys: ["Shift+F"], does: "Fill the slices between those drawn on", for: SEG, changes: true, why: drawn, run: ({ session }) => void fillSlices(session, session.active.value) },
  { id: "use", group: "Draw", keys: ["Shift+Enter"], mouse: "Click", does: "Use the tool at the crosshair", for: SEG, changes: true, why: drawn, run: ({ session }) => useTool(session) },
  { id: "polygon", group: "Draw", keys: ["Shift+D"], does: "Polygon: click its points; the first one closes it", for: SEG, changes: true, run: ({ session }) => takeTool(session, "polygon") },
  { id: "freehand", group: "Draw", keys: ["Shift+B"], does: "Lasso: draw around it", for: SEG, changes: true, run: ({ session }) => takeTool(session, "freehand") },
  { id: "flood", group: "Draw", keys: ["Shift+W"], does: "Flood through values of the range, from a click", for: SEG, changes: true, run: ({ session }) => takeTool(session, "flood") },
  { id: "range", group: "Draw", keys: ["Shift+T"], does: "Draw on values of the range only, or on all", for: SEG, changes: true, why: drawn, run: ({ session }) => toggleRange(session) },
  { id: "range-pick", group: "Draw", keys: ["Shift+U"], does: "Take the range from the values under the brush, at the pointer or crosshair", for: SEG, changes: true, why: drawn, run: ({ session }) => void takeRange(session, session.active.value, session.pointed.value ?? session.crosshair.value) },
  { id: "op-clear", group: "Draw", keys: ["Shift+Delete"], does: "Clear the label or all, in this slice or everywhere (again: the next of these)", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "clear") },
  { id: "op-copy", group: "Draw", keys: ["Shift+Y"], does: "Copy the label from the previous slice (again: from the next)", for: SEG, on: slices, changes: true, why: drawn, run: ({ session }) => operate(session, "copy") },
  { id: "op-carry", group: "Draw", keys: ["Shift+X"], does: "Carry the label on to the next slices, by how the image looks", for: SEG, on: volume, changes: true, why: drawn, run: ({ session }) => operate(session, "carry") },
  { id: "op-propagate", group: "Draw", keys: ["Shift+C"], does: "Propagate: carry labels from the frames drawn on to the others of a film", for: SEG, on: film, changes: true, why: drawn, run: ({ session }) => operate(session, "propagate") },
  { id: "op-trace", group: "Draw", keys: ["Alt+Shift+T"], does: "Trace: what a recorded pointer or gaze (CSV or JSON) proposes of the label", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "trace") },
  { id: "op-record", group: "Draw", keys: ["Alt+G"], does: "Record a trace of the pointer, or of the crosshair by keys (again: show it)", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "record") },
  { id: "trace-save", group: "Draw", keys: ["Alt+Shift+G"], does: "Save the trace shown as JSON", for: SEG, run: ({ session }) => saveTrace(session) },
  { id: "op-smooth", group: "Draw", keys: ["Shift+S"], does: "Smooth: median (again: Gaussian; open, then close)", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "smooth") },
  { id: "op-islands", group: "Draw", keys: ["Shift+O"], does: "Islands: keep the largest (again: remove small ones, keep one, split)", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "islands") },
  { id: "op-margin", group: "Draw", keys: ["Shift+G"], does: "Grow by millimetres (again: shrink)", for: SEG, changes: true, why: drawn, run: ({ session }) => operate(session, "margin") },
  { id: "prompt-point", group: "Draw", keys: ["C"], does: "Prompt: click what belongs to the label", for: SEG, changes: true, run: ({ session }) => takeTool(session, "point") },
  { id: "prompt-scribble", group: "Draw", keys: ["L"], does: "Prompt: a stroke along what belongs to it", for: SEG, changes: true, run: ({ session }) => takeTool(session, "scribble") },
  { id: "prompt-box", group: "Draw", keys: ["A"], does: "Prompt: a box around the structure", for: SEG, changes: true, run: ({ session }) => takeTool(session, "box") },
  { id: "prompt-extremes", group: "Draw", keys: ["Shift+A"], does: "Prompt: click its four outermost points", for: SEG, changes: true, run: ({ session }) => takeTool(session, "extremes") },
  { id: "prompt-lasso", group: "Draw", keys: ["Alt+L"], does: "Prompt: draw around what belongs to it", for: SEG, changes: true, run: ({ session }) => takeTool(session, "lasso") },
  { id: "own-part", group: "Annotate", keys: ["Alt+J"], does: "Only this slice (or the box that is drawn) counts; again: no longer", for: SEG, changes: true, on: ({ session }) => session.purpose === "read", run: ({ session }) => togglePart(session) },
  { id: "marks", group: "Annotate", keys: ["Alt+K"], does: "Marks instead of a mask", for: SEG, changes: true, on: ({ session }) => session.purpose === "read", run: ({ session }) => flipMarks(session) },
  { id: "mark-here", group: "Annotate", keys: ["Alt+Shift+K"], does: "While marks are given: mark at the crosshair", for: SEG, changes: true, on: ({ session }) => session.marking.value !== null, run: ({ session }) => markHere(session) },
  { id: "negative", group: "Draw", keys: ["T"], mouse: "Ctrl + click", does: "The next prompt or outline marks what does not belong to it", for: SEG, changes: true, run: () => flip(display.negative) },
  { id: "prompt-remove", group: "Draw", keys: ["Delete"], does: "Remove the chosen measurement or prompt, else the last prompt", changes: true, run: ({ session }) => removeChosen(session) },
  { id: "brush-smaller", group: "Draw", keys: ["["], mouse: "Shift + wheel", does: "Smaller brush, or a smaller number of the operation", for: SEG, changes: true, held: true, run: ({ session }) => resize(session, 1 / 1.15) },
  { id: "brush-larger", group: "Draw", keys: ["]"], does: "Larger brush, or a larger number", for: SEG, changes: true, held: true, run: ({ session }) => resize(session, 1.15) },
  { id: "ball", group: "Draw", keys: ["D"], does: "Brush as ball, flood and operations through slices", for: SEG, changes: true, run: ({ session }) => flip(throughOf(session.editing.open.value?.kind ?? null)) },
  { id: "keep-others", group: "Draw", keys: [], does: "Keep other labels while drawing", for: SEG, changes: true, run: () => flip(display.keepOthers) },
  { id: "undo", group: "Draw", keys: ["Ctrl+Z"], does: "Undo", for: SEG, changes: true, why: noStep("canUndo", "undo"), run: ({ session }) => step(session, "undo") },
  { id: "redo", group: "Draw", keys: ["Ctrl+Shift+Z", "Ctrl+Y"], does: "Redo", for: SEG, changes: true, why: noStep("canRedo", "redo"), run: ({ session }) => step(session, "redo") },
  { id: "leave", group: "Page", keys: ["Escape"], does: "Cancel a stroke or preview; close a dialog; put away hypotheses and reasons; back to the worklist", run: ({ session, leave }) => putAway(session, leave) },
] as const satisfies readonly KeyAction<KeyScene>[];

const ACTIONS: readonly KeyAction<KeyScene>[] = CASE_KEYS;

/** What the keys of a case can do here. */
export const actionsOf = ({ project, purpose }: CaseSession): readonly KeyAction<KeyScene>[] =>
  ACTIONS.filter((action) => (!action.for || action.for === project.kind) && (purpose !== "compare" || action.compares));

/** True when the key meant something. A held key acts once, unless it only moves the view. */
export function pressKey(event: KeyboardEvent, scene: KeyScene): boolean {
  const { session } = scene;
  if (isModifier(event.key)) return false;
  const found = meant(event, actionsOf(session)).filter(({ action }) => !event.repeat || action.held);
  const { drag } = session;
  if (drag && !event.repeat && found.some(({ action }) => action.id === "leave" || action.id === "undo")) return run(() => drag.abandon());
  const shown = session.editing.preview.value;
  if (drag?.draws && (!event.repeat || found.length > 0)) drag.finish();
  if (session.editing.preview.value !== shown) return true; // what this key finished is looked at before anything else happens
  return found.some(({ action, at }) => press(action, scene, at));
}

/** A key was let go. */
export function releaseKey(event: KeyboardEvent, session: CaseSession): void {
  if (meant(event, actionsOf(session)).some(({ action }) => action.id === "mask")) releaseMask(event.timeStamp);
}

/** What a key or the palette does, where it may be done now. */
export function press(action: KeyAction<KeyScene>, scene: KeyScene, at: number): boolean {
  const { session } = scene;
  if (isBusy(session) && action.id !== "leave" && !action.held) return false;
  if (session.looksOnly && action.changes) return run(() => refuseChange(session));
  return attempt(action, scene, at);
}

/** Why an action cannot be done now; "" when it can. */
export function refusalOf(action: KeyAction<KeyScene>, scene: KeyScene): string {
  const { session } = scene;
  if (isBusy(session) && action.id !== "leave" && !action.held) return "The case is being submitted";
  if (session.looksOnly && action.changes) return `Nothing is changed here: ${whyLooksOnly(session.project) || "readings are compared"}`;
  return action.why?.(scene) ?? "";
}

const isBusy = ({ busy, closed }: CaseSession): boolean => busy.value !== "" || closed;
