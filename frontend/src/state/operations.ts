/**
 * Operations on a label: worked out beside the page, shown as a preview, made when they are accepted. Whatever an operation depends on
 * (slice, label, locks, range, undo) is followed while its preview is open, so that what is accepted is what is seen.
 */

import { effect, type Signal } from "@preact/signals";
import * as calls from "../api/calls";
import type { CaseHeader, Propagated, Region, Traced, Triple } from "../api/types";
import { chooseFile } from "../browser/choosing";
import { keptSignal } from "../browser/kept";
import { changesOf } from "../edits/changes";
import { lockedLabels, mayChange } from "../edits/locks";
import { sliceRegion, wholeOf } from "../edits/mix";
import { aloneIn, innerOf, overlap } from "../edits/nested";
import { permitted } from "../edits/permitted";
import { applyRuns, type Edit } from "../edits/runs";
import { framesText } from "../geometry/frames";
import { flatIndex, sliceOf } from "../geometry/plane";
import { cut, unpacked, widened } from "../operations/block";
import { within } from "../operations/flood";
import type { IslandsKept, Task } from "../operations/perform";
import { ringRuns } from "../operations/polygon";
import { workOut } from "../operations/remote";
import type { Smoothing } from "../operations/smooth";
import { ballBrush, type Tool, tool } from "./display";
import type { Open, OperationName, Recorded } from "./editing";
import { mayEdit, reveal } from "./labelling";
import { tell, tellError } from "./notices";
import { mayPaint, rangeAround, rangeInForce, valuesIn, valuesOf } from "./painting";
import { acceptKey } from "./preferences";
import { changeText } from "./previewing";
import { measureOf } from "./segments";
import type { CaseSession } from "./session";

interface Amount {
  unit: "mm" | "slices" | "frames" | "size";
  first: (header: CaseHeader) => number;
  low: number;
  high: number;
}

interface Operation {
  name: string;
  variants: readonly (readonly [id: string, name: string])[];
  /** Whether it can be held to one slice. */
  sliceable?: boolean;
  /** What needs neighbouring slices is not there in pictures; what needs time is there in films only, what films do better is not. */
  of?: "slices" | "volumes" | "films";
  amount?: Amount;
}

/** The least distance of two voxels; of an image of one voxel its own size. */
export function finest({ spacing_mm, shape }: CaseHeader): number {
  const apart = spacing_mm.filter((_, axis) => shape[axis]! > 1);
  return Math.min(...(apart.length > 0 ? apart : spacing_mm));
}

const millimetres: Amount = { unit: "mm", first: (header) => Number((2 * finest(header)).toPrecision(2)), low: 0.01, high: 100 };

export const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  clear: {
    name: "Clear",
    variants: [
      ["label-slice", "Label in this slice"],
      ["label", "Label everywhere"],
      ["slice", "All labels in this slice"],
      ["all", "All labels everywhere"],
    ],
  },
  copy: {
    name: "Copy a slice",
    of: "slices",
    variants: [
      ["previous", "From the previous slice"],
      ["next", "From the next slice"],
    ],
  },
  carry: { name: "Carry on", of: "volumes", variants: [], amount: { unit: "slices", first: () => 5, low: 1, high: 200 } },
  propagate: { name: "Propagate", of: "films", variants: [], amount: { unit: "frames", first: () => 100, low: 1, high: 1000 } },
  trace: { name: "Trace", variants: [] },
  record: { name: "Record a trace", variants: [] },
  smooth: {
    name: "Smooth",
    sliceable: true,
    amount: millimetres,
    variants: [
      ["median", "Median"],
      ["gaussian", "Gaussian"],
      ["open-close", "Open, then close"],
    ],
  },
  islands: {
    name: "Islands",
    sliceable: true,
    amount: { unit: "size", first: (header) => Number((10 * measureOf(header).each).toPrecision(1)), low: 1e-6, high: 1e6 },
    variants: [
      ["largest", "Keep the largest"],
      ["sized", "Remove smaller than"],
      ["here", "Keep the one at the crosshair"],
      ["split", "Split into labels"],
    ],
  },
  margin: {
    name: "Grow or shrink",
    sliceable: true,
    amount: millimetres,
    variants: [
      ["grow", "Grow"],
      ["shrink", "Shrink"],
    ],
  },
};

/** How far a flood goes from its seed. */
const FLOOD: Amount = { unit: "mm", first: () => 50, low: 1, high: 1000 };

/** Through the slices, or in the one that is shown. */
export const throughSlices = keptSignal<boolean>("operation-through", true);
const chosen = new Map<string, Signal<string | number>>();

/** What was chosen last, in this browser. */
function choice<T extends string | number>(name: string, first: T): Signal<T> {
  const known = chosen.get(name) ?? keptSignal<string | number>(`operation.${name}`, first);
  chosen.set(name, known);
  return known as Signal<T>;
}

export function variantsOf(kind: Open["kind"], { isPicture }: CaseSession): Operation["variants"] {
  const all = kind === "flood" || kind === "outline" ? [] : OPERATIONS[kind].variants;
  return kind === "clear" && isPicture ? all.filter(([id]) => !id.includes("slice")) : all;
}

export function variantOf(kind: Open["kind"], session: CaseSession): string {
  const variants = variantsOf(kind, session);
  const { value } = choice<string>(`${kind}.variant`, "");
  return variants.find(([id]) => id === value)?.[0] ?? variants[0]?.[0] ?? "";
}

export const chooseVariant = (kind: Open["kind"], id: string): unknown => (choice<string>(`${kind}.variant`, "").value = id);

export interface Measure {
  value: number;
  unit: string;
  low: number;
  high: number;
  set: (value: number) => void;
}

/** The number that an operation goes by; null where it has none. */
export function measureFor({ kind }: Pick<Open, "kind">, session: CaseSession): Measure | null {
  const amount = kind === "flood" ? FLOOD : kind === "outline" ? undefined : OPERATIONS[kind].amount;
  if (!amount || (kind === "islands" && variantOf(kind, session) !== "sized") || (kind === "flood" && !goesThrough(kind, session))) return null;
  const own = amount.unit === "size" ? measureOf(session.header).unit : amount.unit === "mm" ? session.unit : amount.unit;
  const kept = choice<number>(`${kind}.${own}`, 0);
  const set = (value: number): void => {
    if (value > 0) kept.value = Math.min(amount.high, Math.max(amount.low, own === "slices" || own === "frames" ? Math.round(value) : value));
  };
  return { value: kept.value || amount.first(session.header), unit: own, low: amount.low, high: amount.high, set };
}

/** A step up or down, as for a brush. */
export function resizeOperation(session: CaseSession, factor: number): void {
  const measure = session.editing.open.value && measureFor(session.editing.open.value, session);
  if (!measure) return;
  measure.set(measure.unit === "slices" || measure.unit === "frames" ? measure.value + Math.sign(factor - 1) : Number((measure.value * factor).toPrecision(3)));
}

export const isSliceable = (kind: Open["kind"]): boolean => kind === "flood" || (kind !== "outline" && OPERATIONS[kind].sliceable === true);

/** Floods go by the brush's own choice, as a tool in hand. */
export const throughOf = (kind: Open["kind"] | null): Signal<boolean> => (kind && kind !== "flood" && isSliceable(kind) ? throughSlices : ballBrush);

const goesThrough = (kind: Open["kind"], session: CaseSession): boolean => !session.isFlat && throughOf(kind).value;

export const titleOf = (kind: Open["kind"]): string => (kind === "flood" ? "Flood" : kind === "outline" ? "Outline" : OPERATIONS[kind].name);

/** Whether there is such a thing for this kind of image. */
export function isOffered(kind: OperationName, { isPicture, isFilm }: Pick<CaseSession, "isPicture" | "isFilm">): boolean {
  const { of } = OPERATIONS[kind];
  return !of || (of === "films" ? isFilm : of === "volumes" ? !isFilm && !isPicture : !isPicture);
}

const whyNotOffered = ({ isPicture, isFilm }: CaseSession): string =>
  isPicture ? "a picture has one slice only" : isFilm ? "a film has frames, propagate to them" : "a volume has no frames over time";

/** Begin an operation; once more, it takes the next of its variants. */
export function operate(session: CaseSession, kind: OperationName): void {
  if (!isOffered(kind, session)) return tell("info", `${OPERATIONS[kind].name}: ${whyNotOffered(session)}`);
  if (kind === "trace") return void openTrace(session);
  if (kind === "record") return record(session);
  if (session.editing.open.value?.kind !== kind) return propose(session, { kind, plane: session.active.value });
  const ids = variantsOf(kind, session).map(([id]) => id);
  if (ids.length > 0) chooseVariant(kind, ids[(ids.indexOf(variantOf(kind, session)) + 1) % ids.length]!);
}

/** Work out what an operation would do, and again whenever that changes. */
export function propose(session: CaseSession, open: Exclude<Open, Recorded>): void {
  if (!mayEdit(session)) return;
  session.editing.begin(open, () => effect(() => refresh(session, open)));
}

function refresh(session: CaseSession, open: Exclude<Open, Recorded>): void {
  const isWanted = session.editing.renew();
  session.draft.value!.changes.value;
  if (open.kind === "propagate" || open.kind === "trace") return void askServer(session, open, isWanted);
  const wanted = taskOf(session, open);
  const may = mayPaint(session, session.queriedBoxes, isExact(session, open));
  const show = (runs: Int32Array): void => {
    if (isWanted()) showPreview(session, open, runs, may);
  };
  if (typeof wanted === "string") showNothing(session, open, wanted);
  else if (wanted instanceof Int32Array) show(wanted);
  else
    void workOut(wanted).then(show, (error: unknown) => {
      session.editing.end();
      tellError(error);
    });
}

/** What the server works out; all that it depends on is read before anything is waited for. */
async function askServer(session: CaseSession, open: Extract<Open, { kind: "propagate" | "trace" }>, isWanted: () => boolean): Promise<void> {
  const [reach, label] = [measureFor(open, session)?.value ?? 0, session.label.value];
  const locked = lockedLabels(session.locks, session.labels);
  const may = mayPaint(session, [], true);
  try {
    await session.queue!.flushed();
    if (!isWanted()) return;
    const { id } = session.project;
    const { revision } = session.queue!;
    const made =
      open.kind === "propagate"
        ? await calls.propagate(id, session.assignmentId, revision, reach, locked)
        : await calls.trace(id, session.assignmentId, revision, open.text, label, locked);
    const words = "drawn" in made ? propagationText(made) : traceText(session, made);
    if (isWanted()) showPreview(session, open, Int32Array.from(made.runs.flat()), may, words);
  } catch (error) {
    if (!isWanted()) return;
    session.editing.end();
    tellError(error);
  }
}

/** A file of a trace is chosen and shown as what it proposes of the label in hand. */
async function openTrace(session: CaseSession): Promise<void> {
  if (!mayEdit(session)) return;
  const file = await chooseFile(".csv,.json,text/csv,application/json");
  if (!file || session.closed) return;
  const text = await file.text();
  if (!session.closed) propose(session, { kind: "trace", plane: session.active.value, name: file.name, text });
}

const nothingRecorded = (): void => tell("info", "Nothing is recorded yet", "move the pointer over the image");

/** Where the pointer goes from now on becomes a trace once it is finished: by the same key or button, or as a preview is accepted. */
function record(session: CaseSession): void {
  const { editing } = session;
  if (editing.open.value?.kind === "record") return editing.open.value.finish();
  if (!mayEdit(session)) return;
  const open: Recorded & { plane: number } = { kind: "record", plane: session.active.value, finish: nothingRecorded };
  let stop: (() => void) | null = () => undefined;
  editing.begin(open, () => () => {
    stop?.();
    stop = null;
  });
  void import("./recording")
    .then(({ Recording, record }) => {
      const recording = new Recording();
      open.finish = () => {
        if (recording.count < 2) nothingRecorded();
        else propose(session, { kind: "trace", plane: open.plane, name: "", text: recording.text(session.header.shape) });
      };
      if (stop) stop = record(session, recording, tool);
    })
    .catch((error: unknown) => {
      editing.end();
      tellError(error);
    });
}

/** The trace that is shown as a file. */
export function saveTrace({ editing, header }: CaseSession): void {
  const { value } = editing.open;
  if (value?.kind !== "trace") return tell("info", "No trace is shown", "record one first");
  import("./recording").then(({ save }) => save(value.name || `${header.name}-trace.json`, value.text), tellError);
}

/** "; slices 3–5 from 120 samples of 6.0 s, expected Dice 0.81 (a heuristic)". */
export function traceText(
  { sliceWord }: Pick<CaseSession, "sliceWord">,
  { samples, seconds, slices, expected_dice }: Omit<Traced, "runs" | "revision">,
): string {
  return `; ${sliceWord}s ${framesText(slices)} from ${samples} samples of ${seconds.toFixed(1)} s, expected Dice ${expected_dice.toFixed(2)} (a heuristic)`;
}

/** "frames 1–7, 9–40 from frame 8; least sure at frame 22 (0.81)". */
export function propagationText({ drawn, reached, weakest, agreement }: Omit<Propagated, "runs" | "revision">): string {
  const doubt = weakest === null || agreement === null ? "" : `; least sure at frame ${weakest + 1} (agreement ${agreement.toFixed(2)})`;
  return `; frames ${framesText(reached)} from ${drawn.length === 1 ? "frame" : "frames"} ${framesText(drawn)}${doubt}`;
}

function showPreview(session: CaseSession, open: Open, runs: Int32Array, may: ReturnType<typeof mayPaint>, more = ""): void {
  const kept = new Set<number>();
  const exact = isExact(session, open);
  const edit = permitted(session.draft.value!.mask, unpacked(runs), may, kept, exact ? undefined : session.land);
  if (exact) edit.exact = overlap(session.project.labels);
  if (edit.forward.length === 0) return showNothing(session, open, kept.size > 0 ? "what it would change may not change here" : "the mask is so already");
  const text = changeText(session, changesOf(session.draft.value!.mask, edit.forward));
  say(session, open, edit, `${text}${kept.size > 0 ? "; what may not change stays" : ""}${more}`, `${acceptKey()} accepts, Esc cancels`);
}

/** Whether its runs are meant as they are: the server's, or all labels gone. */
const isExact = (session: CaseSession, { kind }: Open): boolean =>
  kind === "propagate" || kind === "trace" || (kind === "clear" && !variantOf(kind, session).includes("label"));

const showNothing = (session: CaseSession, open: Open, why: string): void =>
  say(session, open, { forward: [], inverse: [] }, `No change: ${why}`, "Esc puts it away");

function say(session: CaseSession, open: Open, edit: Edit, text: string, keys: string): void {
  const slice = isInSlice(session, open)
    ? `, ${session.isFilm ? "frame" : `${session.planeTitle(open.plane).toLowerCase()} slice`} ${session.sliceNumber(open.plane) + 1}`
    : "";
  const title = titleOf(open.kind) + slice;
  session.editing.preview.value = { title, edit, text };
  session.advice.message.value = `${title}: ${text}; ${keys}`;
}

/** Whether an operation changes one slice of a volume, the one that is shown in its plane. */
function isInSlice(session: CaseSession, { kind }: Open): boolean {
  if (session.isPicture || kind === "outline" || kind === "propagate" || kind === "trace") return false;
  if (kind === "clear") return variantOf(kind, session).includes("slice");
  return kind === "copy" || (isSliceable(kind) && !goesThrough(kind, session));
}

/** What the provenance says of it. */
const sourceOf = ({ kind }: Open): Pick<Edit, "redo"> =>
  kind === "propagate" ? { redo: { propagated: true } } : kind === "trace" ? { redo: { traced: true } } : {};

/** One step of undo, one patch. */
export function accept(session: CaseSession): void {
  const { editing } = session;
  const [open, preview, draft] = [editing.open.value, editing.preview.value, session.draft.value];
  if (!open || !draft) return;
  if (open.kind === "record") return open.finish();
  if (!preview) return tell("info", "The preview is still being worked out", "accept it when it is there");
  if (!mayEdit(session)) return;
  editing.end();
  if (preview.edit.forward.length > 0) {
    reveal(session);
    applyRuns(draft.mask, preview.edit.forward);
    draft.commit({ ...preview.edit, ...sourceOf(open) });
  }
  session.advice.message.value = `${preview.title}: ${preview.text}${preview.edit.forward.length > 0 ? "; Undo takes it back" : ""}`;
}

export function cancel(session: CaseSession): void {
  session.editing.end();
  session.advice.message.value = "";
}

/** Another tool: what was in the making is put away. */
export function takeTool(session: CaseSession, next: Tool): void {
  if (session.editing.pending) cancel(session);
  tool.value = next;
}

/** The open outline is closed and shown; fewer than three points enclose nothing. */
export function closeRing(session: CaseSession): void {
  const { ring, open } = session.editing;
  const { value } = ring;
  if (!value) return;
  if (value.points.length < 3) return tell("info", "An outline needs three points or more");
  const { plane, number, points, subtract } = value;
  const before = open.value?.kind === "outline" && open.value.plane === plane && open.value.number === number ? open.value.rings : [];
  propose(session, { kind: "outline", plane, number, rings: [...before, { points, subtract }] });
}

/** A flood needs a range: without one, the values under the brush. */
export function flood(session: CaseSession, plane: number, seed: Triple): void {
  if (!rangeInForce(session) && !takeRange(session, plane, seed)) return;
  propose(session, { kind: "flood", plane, seed });
}

/** The range of the values under the brush at a voxel. */
export function takeRange(session: CaseSession, plane: number, voxel: Triple): boolean {
  const range = rangeAround(session, plane, voxel);
  if (!range) return false;
  session.segments.range.value = range;
  session.segments.rangeUsed.value = true;
  return true;
}

/** Draw on a range of values only, or on all; the first range is what the window shows between black and white. */
export function toggleRange({ segments, window }: CaseSession): void {
  const { low, high } = window.value;
  segments.range.value ??= { low, high };
  segments.rangeUsed.value = !segments.rangeUsed.value;
}

/** What is to be worked out; runs where that is done, words where there is nothing to do. */
function taskOf(session: CaseSession, open: Exclude<Open, { kind: "propagate" | "trace" | "record" }>): Task | Int32Array | string {
  const { planes, header } = session;
  const { shape } = header;
  const plane = planes[open.plane]!;
  const label = session.label.value;
  if (open.kind === "outline") return ringRuns(open.rings, sliceOf(plane, shape, open.number), label);
  const variant = variantOf(open.kind, session);
  const amount = measureFor(open, session)?.value ?? 0;
  const inSlice = isInSlice(session, open);
  const here = (): Region => sliceRegion(shape, plane.slice_axis, session.sliceNumber(open.plane));
  switch (open.kind) {
    case "clear":
      return { ...groundOf(session, inSlice ? here() : wholeOf(shape)), kind: "clear", all: !variant.includes("label") };
    case "copy":
      return copyTask(session, open.plane, variant === "previous" ? -1 : 1, here());
    case "carry":
      return carryTask(session, open.plane, amount);
    case "smooth":
      return { ...groundOf(session, inSlice ? here() : wholeOf(shape)), kind: "smooth", how: variant as Smoothing, mm: amount };
    case "margin":
      return { ...groundOf(session, inSlice ? here() : wholeOf(shape)), kind: "margin", mm: variant === "grow" ? amount : -amount };
    case "islands":
      return islandsTask(session, inSlice ? here() : wholeOf(shape), variant as IslandsKept, amount);
    case "flood":
      return floodTask(session, open.seed, inSlice || session.isFlat ? sliceRegion(shape, plane.slice_axis, open.seed[plane.slice_axis]!) : null, amount);
  }
}

/** Labels of a box; of the whole volume without a copy, which the way to the worker makes. */
function groundOf({ draft, header, label, project }: CaseSession, box: Region) {
  const { shape, spacing_mm } = header;
  const { mask } = draft.value!;
  const isWhole = box.start.every((n) => n === 0) && box.stop.every((n, axis) => n === shape[axis]);
  const seen = aloneIn(isWhole ? mask : cut(mask, shape, box), project.labels, label.value);
  return { mask: seen, box, whole: shape, spacing: spacing_mm, label: label.value };
}

/** Labels that may be passed on the way: the one that is drawn, and those that it may take the place of. */
function passesOf(session: CaseSession): Uint8Array {
  const [may, label] = [mayChange(session.locks), session.label.value];
  return Uint8Array.from({ length: 256 }, (_, value) => (value === label || may(value, label) ? 1 : 0));
}

function copyTask(session: CaseSession, index: number, by: 1 | -1, here: Region): Task | string {
  const { header, planes } = session;
  const axis = planes[index]!.slice_axis;
  const number = session.sliceNumber(index) + by * session.stepDown(index);
  if (number < 0 || number >= header.shape[axis]!) return "there is no such slice";
  const from = aloneIn(cut(session.draft.value!.mask, header.shape, sliceRegion(header.shape, axis, number)), session.project.labels, session.label.value);
  if (!from.includes(session.label.value)) return `slice ${number + 1} has nothing of this label`;
  return { ...groundOf(session, here), kind: "copy", from };
}

function carryTask(session: CaseSession, index: number, steps: number): Task | string {
  const { shape } = session.header;
  const axis = session.planes[index]!.slice_axis;
  const number = session.sliceNumber(index);
  const box = sliceRegion(shape, axis, number);
  if (!groundOf(session, box).mask.includes(session.label.value)) return `slice ${number + 1} has nothing of this label to carry on`;
  box.start[axis] = Math.max(0, number - steps);
  box.stop[axis] = Math.min(shape[axis]!, number + steps + 1);
  const values = valuesIn(session.volume.value!, session.channel.value, box);
  return { ...groundOf(session, box), kind: "carry", values, axis, source: number - box.start[axis]!, steps, passes: passesOf(session) };
}

function islandsTask(session: CaseSession, box: Region, how: IslandsKept, amount: number): Task | string {
  const { header, labels, draft, locked } = session;
  const at: Triple = how === "here" ? session.crosshair.value : [0, 0, 0];
  if (how === "here" && !session.hasLabel(draft.value!.mask[flatIndex(header.shape, at)]!)) return "this label does not stand at the crosshair";
  const free = labels
    .map(({ value }) => value)
    .filter((value) => [value, ...innerOf(session.project.labels, value)].every((one) => draft.value!.counts.of(one) === 0) && !locked.value.has(value));
  if (how === "split" && free.length === 0) return "no label is free for a second island";
  const ground = groundOf(session, box);
  if (how === "split" && !overlap(labels)) ground.mask = cut(draft.value!.mask, header.shape, box); // what lies inside an island stays what it is
  return { ...ground, kind: "islands", how, least: amount / measureOf(header).each, at, free };
}

function floodTask(session: CaseSession, seed: Triple, slice: Region | null, limitMm: number): Task | string {
  const { shape, spacing_mm, unit } = session.header;
  const range = rangeInForce(session);
  if (!range) return "no range of values is set";
  const value = valuesOf(session.volume.value!, session.channel.value)(flatIndex(shape, seed));
  if (!within(value, range)) return `the value at the seed, ${value} ${unit}, is outside the range`;
  const box = slice ?? widened({ start: seed, stop: seed.map((n) => n + 1) as Triple }, limitMm, spacing_mm, shape);
  const values = valuesIn(session.volume.value!, session.channel.value, box);
  const own = seed.map((n, axis) => n - box.start[axis]!) as Triple;
  return { ...groundOf(session, box), kind: "flood", values, range, seed: own, limitMm: slice ? Number.POSITIVE_INFINITY : limitMm, passes: passesOf(session) };
}
