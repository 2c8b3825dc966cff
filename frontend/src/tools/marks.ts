/** Marks given in place of a mask: kept in this browser until they are submitted, and then on the server as an annotation of their own kind. */
import { type Signal, signal } from "@preact/signals";
import { getJson, sendJson } from "../api/client";
import type { Prompt, Submitted, Triple } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import { type Pixel, pixelOfVoxel } from "../geometry/plane";
import { tool } from "../state/display";
import { reportOf } from "../state/effort";
import { tell, tellError } from "../state/notices";
import type { CaseSession, Drawing } from "../state/session";
import { closing, goOnAfter, isSeen, persist } from "../state/submitting";
import { boxBetween, EXTREMES, voxelsBetween } from "./prompting";
import { Cuts, drawChosen, drawOutlines, type SuperpixelMark, toggled } from "./superpixels";

export type TagMark = { kind: "tag"; label: number; present: boolean };
export type Mark = Prompt | TagMark | SuperpixelMark;

/** How many points a tool takes where the crosshair places them. */
const PLACES: Record<string, number> = { point: 1, scribble: 2, box: 2, extremes: EXTREMES };
export const MARK_TOOLS = ["point", "scribble", "box", "extremes"] as const;

export interface MarkBook {
  marks: Signal<readonly Mark[]>;
  /** Points and strokes mark what belongs to no label. */
  background: Signal<boolean>;
  /** Points placed at the crosshair so far, of a mark that needs several. */
  placing: Signal<readonly Triple[]>;
  /** Clicks give whole superpixels a label. */
  cutting: Signal<boolean>;
  cuts: Cuts;
  close: () => void;
}

const keptAs = (session: CaseSession): string => `marks.${session.assignmentId}`;
const pathOf = (session: CaseSession): string => `/projects/${session.project.id}/assignments/${session.assignmentId}/marks`;
const isPrompt = (mark: Mark): mark is Prompt => mark.kind !== "tag" && mark.kind !== "superpixel";
const isSuperpixel = (mark: Mark): mark is SuperpixelMark => mark.kind === "superpixel";

/** Take prompts as marks from now on; what was given before is there again. */
export function openMarks(session: CaseSession): MarkBook {
  const marks = signal<readonly Mark[]>(readMarks(session));
  const [background, placing] = [signal(false), signal<readonly Triple[]>([])];
  const cutting = signal(false);
  const book: MarkBook = { marks, background, placing, cutting, cuts: new Cuts(session, () => publish()), close: () => stops.forEach((stop) => stop()) };
  const publish = (): void => {
    const drawn = marks.value.filter(isPrompt);
    session.marking.value = {
      drawn,
      take: (prompt) => takePrompt(session, book, prompt),
      here: () => markCrosshair(session, book),
      submit: () => void submitMarks(session, book),
      paint: (context, scene) => {
        const colourOf = (label: number): string => session.labels.find(({ value }) => value === label)?.colour ?? "#ffffff";
        drawChosen(context, marks.value.filter(isSuperpixel), scene, colourOf);
        const cut = cutting.value ? book.cuts.at(scene.plane.slice_axis, scene.number) : null;
        if (cut) drawOutlines(context, cut, scene);
      },
    };
    writeKept(keptAs(session), JSON.stringify(marks.value));
  };
  const stops = [marks.subscribe(publish), cutting.subscribe(publish)];
  if (marks.value.length === 0) void recall(session, book);
  return book;
}

function readMarks(session: CaseSession): readonly Mark[] {
  try {
    const found = JSON.parse(readKept(keptAs(session), "[]")) as unknown;
    return Array.isArray(found) ? (found as Mark[]) : [];
  } catch {
    return [];
  }
}

/** One's own marks of the case in force, to go on from. */
async function recall(session: CaseSession, book: MarkBook): Promise<void> {
  try {
    const { marks } = await getJson<{ marks: Mark[] }>(pathOf(session));
    if (book.marks.value.length === 0 && marks.length > 0) book.marks.value = marks;
  } catch (error) {
    tellError(error);
  }
}

/** A click gives its superpixel the chosen label, or takes it back, while superpixels are shown. */
function takePrompt(session: CaseSession, book: MarkBook, prompt: Prompt): void {
  if (!book.cutting.value || prompt.kind !== "point") return addMark(book, prompt);
  if (!prompt.positive) return tell("info", "A superpixel is of a label or of background", "switch Background on for one of no label");
  const axis = session.planes[session.active.value]!.slice_axis;
  const cut = book.cuts.at(axis, prompt.voxel[axis]!);
  if (!cut) return tell("info", "The superpixels of this slice are not here yet", "click again in a moment");
  book.marks.value = toggled(book.marks.value, cut, session.header.shape, prompt.voxel, book.background.value ? 0 : prompt.label);
}

/** A box may be drawn of a label only; background is marked by points and strokes. */
export function addMark({ marks, background }: MarkBook, prompt: Prompt): void {
  if (prompt.kind === "lasso") return tell("info", "An outline is no mark", "draw a stroke or a box");
  const plain = prompt.kind === "point" || prompt.kind === "scribble";
  if (background.value && !plain) return tell("info", "Background is marked by points and strokes", "switch Background off for a box");
  marks.value = [...marks.value, background.value && plain ? { ...prompt, label: 0, positive: true } : prompt];
}

export function removeMark({ marks }: MarkBook, number: number): void {
  marks.value = marks.value.filter((_, n) => n !== number);
}

export const tagOf = ({ marks }: MarkBook, label: number): "" | "present" | "absent" => {
  const tag = marks.value.find((mark): mark is TagMark => mark.kind === "tag" && mark.label === label);
  return tag === undefined ? "" : tag.present ? "present" : "absent";
};

export function setTag({ marks }: MarkBook, label: number, tag: string): void {
  const others = marks.value.filter((mark) => mark.kind !== "tag" || mark.label !== label);
  marks.value = tag === "" ? others : [...others, { kind: "tag", label, present: tag === "present" }];
}

/** The next point of a mark at the crosshair: one makes a point, two a stroke or a box, four are outermost points. */
export function markCrosshair(session: CaseSession, book: MarkBook): void {
  const wanted = PLACES[tool.value];
  if (!wanted) return tell("info", "Choose a kind of mark first", "they are in the panel, under Marks");
  const plane = session.planes[session.active.value]!;
  const voxel = session.crosshair.value.map(Math.round) as Triple;
  const places = [...book.placing.value, voxel];
  if (places.length < wanted) {
    book.placing.value = places;
    session.drawing.value = { kind: "extreme_points", voxels: places, label: session.label.value } as Drawing;
    return;
  }
  book.placing.value = [];
  session.drawing.value = null;
  const label = session.label.value;
  const page = { plane, shape: session.header.shape, number: voxel[plane.slice_axis]! };
  const [from, to] = places.map((place) => pixelOfVoxel(plane, session.header.shape, place)) as [Pixel, Pixel];
  if (tool.value === "point") return takePrompt(session, book, { kind: "point", voxel, label, positive: true });
  if (tool.value === "extremes") return addMark(book, { kind: "extreme_points", voxels: places, label });
  if (tool.value === "box") return addMark(book, boxBetween(from, to, page, label));
  addMark(book, { kind: "scribble", voxels: [places[0]!, ...voxelsBetween(from, to, page)], label, positive: true });
}

/** Finish the case with its marks; the draft stays as it is, and one that was drawn on is refused by the server. */
async function submitMarks(session: CaseSession, book: MarkBook): Promise<void> {
  if (session.busy.value || session.closed || !isSeen(session)) return;
  if (book.placing.value.length > 0 || session.drawing.value) {
    return tell("warning", "A mark is not finished, so nothing was submitted", "place its other points, or press Esc to drop it");
  }
  if (book.marks.value.length === 0) return tell("info", "Nothing is marked yet, so nothing was submitted", "mark something, or close the marks");
  await closing(session, async () => {
    const body = { marks: book.marks.value, effort: reportOf(session), task_version: session.project.task_version };
    const made = await persist(session, "submitted", () => sendJson<Submitted>("POST", pathOf(session), body));
    writeKept(keptAs(session), "[]");
    session.marking.value = null;
    await goOnAfter(session, made);
  });
}
