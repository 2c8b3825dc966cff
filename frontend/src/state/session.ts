/** One case on the screen: its arrays, where one looks, and the draft being edited. */

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { LookedAt } from "../api/calls";
import { lacking, may } from "../api/me";
import { annotatorName, isSameName } from "../api/person";
import type {
  CaseHeader,
  CaseOutlook,
  Label,
  NamedSlice,
  Opened,
  PlaneHeader,
  Prediction,
  Project,
  Prompt,
  QueriedPart,
  Region,
  Returned,
  Triple,
} from "../api/types";
import type { Draft } from "../edits/draft";
import type { EffortTimer } from "../edits/effort";
import type { Guard, Locks } from "../edits/locks";
import { innerOf, type Land, landOf, membersOf, overlap } from "../edits/nested";
import type { Previews } from "../edits/previews";
import type { PromptQueue } from "../edits/promptqueue";
import type { PatchQueue } from "../edits/queue";
import type { Step } from "../edits/runs";
import { centreOf, clampVoxel, stepOfWheelDown } from "../geometry/plane";
import { FITTED, type Viewport } from "../geometry/viewport";
import type { LabelColour } from "../render/lut";
import type { MarkScene } from "../render/marks";
import type { ChannelView, Rect } from "../render/slice";
import { islandLevel } from "../volume/band";
import { receivedOf, type Volume } from "../volume/volume";
import { Advice } from "./advice";
import { keepOthers, proposalShown } from "./display";
import { Editing } from "./editing";
import { Film } from "./film";
import { Hanging } from "./hanging";
import { keptParts } from "./keptparts";
import { Measurements } from "./measurements";
import { type Segments, sayLocked, segmentsOf } from "./segments";
import { Sight } from "./sight";
import { ChannelWindows } from "./windows";

/** The server's draft went another way than ours; somebody must choose. */
export interface Conflict {
  title: string;
  message: string;
  remedy: string;
  /** What the server holds now; null when it could not be read. */
  saved: { assignment: string; revision: number; mask: Uint8Array; annotated: ReadonlySet<number> } | null;
  patches: readonly Step[];
  /** How many of the queue's waiting patches these are; what is drawn later comes after them. */
  waiting: number;
}

export interface Stroke {
  plane: PlaneHeader;
  part: Rect;
}

/** What the pointer is doing; keys and a window that goes away end it from outside. */
export interface OpenDrag {
  /** Whether it changes the mask or gives a prompt, rather than the view. */
  draws: boolean;
  finish(): void;
  abandon(): void;
}

/** A stroke, box or outline under the pointer, or the outermost points clicked so far. */
export type Drawing = Exclude<Prompt, { kind: "point" }>;

/** Why a project can be looked at only; "" where it can be annotated. */
export const whyLooksOnly = ({ id, read_only }: Project): string => read_only || (may("annotate", id) ? "" : lacking("annotate"));

/** What a case is on the screen for: a reading, a reviewer's decision that is drawn, or a look at its readings. */
export type Purpose = "read" | "decide" | "compare";

/** Takes prompts as marks; another one after each change, so that drawings follow. */
export interface Marking {
  drawn: readonly Prompt[];
  take: (prompt: Prompt) => void;
  here: () => void;
  submit: () => void;
  /** Draws what is no prompt over a slice. */
  paint: (context: CanvasRenderingContext2D, scene: Omit<MarkScene, "colourOf">) => void;
}

export class CaseSession {
  readonly header: CaseHeader;
  readonly planes: readonly PlaneHeader[];
  readonly volume = signal<Volume | null>(null);
  /** Grows with every received part of the volume. */
  readonly arrived = signal(0);
  readonly draft = signal<Draft | null>(null);
  readonly proposal = signal<Uint8Array | null>(null);
  readonly uncertainty = signal<Uint8Array | null>(null);
  /** From which uncertainty a voxel stands out by itself. */
  private readonly islandsOf = computed(() => (this.uncertainty.value ? islandLevel(this.uncertainty.value) : 255));
  readonly crosshair: Signal<Triple>;
  /** By plane: who follows one of them hears nothing of the slices of another. */
  private readonly numbers: readonly ReadonlySignal<number>[];
  /** The voxel under the pointer. */
  readonly pointed = signal<Triple | null>(null);
  readonly window: ChannelWindows;
  readonly channel: Signal<ChannelView>;
  readonly views: readonly Signal<Viewport>[];
  readonly active: Signal<number>;
  readonly hanging: Hanging;
  readonly label: Signal<number>;
  readonly segments: Segments;
  /** Labels that are not drawn; the next case shows all again, so that nothing is submitted unseen for long. */
  readonly hidden = signal<ReadonlySet<number>>(new Set());
  private readonly labelsOf = computed(() => {
    const colours = this.segments.colours.value;
    return this.project.labels.map((label) => ({ ...label, colour: colours.get(label.value) ?? label.colour }));
  });
  readonly tag: Signal<number | null>;
  /** Values of the labels that the draft is going to annotate, and the last time that this was told to the server. */
  readonly annotated: Signal<ReadonlySet<number>>;
  declared: Promise<unknown> = Promise.resolve();
  /** Labels that stay as they are in this case, since another one is queried of it; unlocked one by one. */
  readonly held: Signal<ReadonlySet<number>>;
  /** Labels that no tool may change. */
  readonly locked = computed<ReadonlySet<number>>(() => new Set([...this.segments.locked.value, ...this.held.value]));
  readonly busy = signal<"" | "submitting" | "waiting">("");
  readonly conflict = signal<Conflict | null>(null);
  /** The server's words about the annotation that a submission would replace; asked before it is sent again. */
  readonly replacing = signal<string | null>(null);
  readonly sight = new Sight();
  readonly editing = new Editing();
  readonly film: Film;
  /** The slices that the template names, where this person put them. */
  readonly named: Signal<readonly NamedSlice[]>;
  /** The name in hand: gone to last, and moved by the key. */
  readonly chosenName = signal(0);
  readonly parts: Signal<readonly QueriedPart[]>;
  /** Resolves when no name is being moved any more. */
  placing: Promise<void> = Promise.resolve();
  drag: OpenDrag | null = null;
  readonly advice = new Advice();
  readonly measurements = new Measurements();
  readonly prediction: Signal<Prediction | null>;
  /** Whether there is a proposal that is not shown before the first edit. */
  readonly proposalHidden: Signal<boolean>;
  /** Place in the round and verdict; null until they are known. */
  readonly outlook = signal<CaseOutlook | null>(null);
  /** A newer proposal than the one the draft began with, waiting to be taken. */
  readonly offered = signal<{ prediction: Prediction; mask: Uint8Array } | null>(null);
  /** Whether everything is there, so that tools work. */
  readonly ready = computed(() => {
    this.arrived.value;
    const volume = this.volume.value;
    const complete = volume !== null && volume.received === volume.values.length;
    return complete && (this.project.kind === "classification" || this.draft.value !== null);
  });
  assignmentId: string;
  queue: PatchQueue | null = null;
  /** Answers prompts at once; null until the draft is there, and in classifications. */
  refiner: PromptQueue | null = null;
  /** Shows what prompts would do. */
  previews: Previews | null = null;
  /** What the prompts accepted last changed, in words. */
  readonly change = signal("");
  /** Whether the answer to a prompt is out. */
  readonly refining = signal(false);
  /** Prompts that were not answered, and names that were not moved, so that nobody submits without them. */
  refusals = 0;
  prepared = false;
  /** While marks are given in place of a mask, what prompts become; "opening" until its script is there. */
  readonly marking = signal<Marking | "opening" | null>(null);
  /** A prompt that is being drawn. */
  readonly drawing = signal<Drawing | null>(null);
  /** The prompt that a key or button would remove. */
  readonly chosenPrompt = signal<string | null>(null);
  /** Dice that the engine expects of the mask since the last prompt. */
  readonly refinedQuality = signal<number | null>(null);
  /** Who answers prompts; "" until it is known. */
  readonly engine = signal("");
  /** The latest part of a stroke that is not finished yet; the other planes follow it. */
  readonly stroke = signal<Stroke | null>(null);
  /** What a decision is drawn on: what stood, and the readings, when it was opened. */
  looked: LookedAt | null = null;
  /** The return of the case to this person, as far as it is on the screen. */
  readonly returned: Signal<Returned | null>;
  moved = false;
  emptyMeant = false;
  drawn = false;
  closed = false;

  constructor(
    readonly project: Project,
    readonly opened: Opened,
    readonly effort: EffortTimer,
    readonly startedAt: number,
    readonly purpose: Purpose = "read",
  ) {
    this.header = opened.case;
    this.planes = this.header.planes;
    this.segments = segmentsOf(project);
    this.film = new Film(
      this.header,
      () => this.crosshair.peek()[2],
      (frame) => this.lookAt([this.crosshair.peek()[0], this.crosshair.peek()[1], frame]),
    );
    this.hanging = new Hanging(project.id, this.planes, this.header.spacing_mm);
    this.assignmentId = opened.assignment.id;
    const centre = centreOf(this.header.shape);
    const { parts } = opened.assignment;
    this.parts = signal(parts.length > 0 ? parts : keptParts(project.id, this.assignmentId));
    this.named = signal(opened.assignment.frames);
    const first = this.named.value[0] ?? this.queried[0];
    this.crosshair = signal(first ? placeIn(first, centre) : centre);
    this.numbers = this.planes.map(({ slice_axis }) => computed(() => this.crosshair.value[slice_axis]!));
    this.channel = signal<ChannelView>(this.header.colour ? "rgb" : 0);
    this.window = new ChannelWindows(project.id, this.header, () => this.channel.value);
    this.views = this.planes.map(() => signal(FITTED));
    this.active = signal(this.main);
    this.label = signal(opened.assignment.queried_label ?? project.labels[0]?.value ?? 1);
    this.prediction = signal(opened.prediction);
    this.proposalHidden = signal(opened.assignment.proposal_hidden);
    effort.proposal = () => this.proposalSeen;
    this.returned = signal(opened.assignment.returned);
    const asked = opened.assignment.queried_label;
    this.held = signal(new Set(asked === null ? [] : project.labels.map(({ value }) => value).filter((value) => value !== asked)));
    this.annotated = signal(new Set(opened.assignment.annotated));
    this.tag = signal(opened.previous?.tag ?? null);
  }

  /** Whether nothing may be drawn, because the project or this person can only read, or the readings are compared. */
  get looksOnly(): boolean {
    return this.purpose === "compare" || whyLooksOnly(this.project) !== "";
  }

  /** What is on the screen of a proposal now: what the draft began with, or its outline. */
  private get proposalSeen(): "shown" | "hidden" | "none" {
    if (this.proposalHidden.value) return "hidden";
    if (!this.prediction.value) return "none";
    const began = this.project.kind === "classification" || this.opened.assignment.base?.kind === "prediction";
    return began || proposalShown.value ? "shown" : "hidden";
  }

  /** One plane only: a picture, or a film, whose other axis is time. */
  get isFlat(): boolean {
    return this.planes.length === 1;
  }

  /** Its slices are frames over time. */
  get isFilm(): boolean {
    return this.header.over_time && this.header.shape[2] > 1;
  }

  /** One slice and no more. */
  get isPicture(): boolean {
    return this.isFlat && !this.isFilm;
  }

  /** Which way the wheel and the arrow key downwards go through the slices of a plane: down the body, on in time. */
  stepDown(plane: number): 1 | -1 {
    return this.isFilm ? 1 : stepOfWheelDown(this.planes[plane]!, this.header.affine);
  }

  get sliceWord(): "frame" | "slice" {
    return this.isFilm ? "frame" : "slice";
  }

  /** The plane in the large pane. */
  get main(): number {
    return this.hanging.large.value;
  }

  get islands(): number {
    return this.islandsOf.value;
  }

  get channelViews(): ChannelView[] {
    const each = Array.from({ length: this.header.channels }, (_, n) => n);
    return this.header.colour ? ["rgb", ...each] : each;
  }

  /** Slices of the file received so far, of the channel that is shown. */
  get slicesHere(): number {
    const volume = this.volume.value;
    const [columns, rows, slices] = this.header.shape;
    return volume ? Math.min(slices, Math.floor(receivedOf(volume, this.channel.value) / (columns * rows))) : 0;
  }

  /** "px" where no pixel size is known. */
  get unit(): "mm" | "px" {
    return this.header.sized ? "mm" : "px";
  }

  /** Whether a submission takes the place of the annotation in force; two people's stand side by side where no model is evaluated. */
  get replacesStanding(): boolean {
    const { standing, evaluation } = this.opened.assignment;
    return !!standing && (!!evaluation || standing.origin === "imported" || isSameName(standing.annotator ?? "", annotatorName.value));
  }

  toggleLock(value: number): void {
    if (this.held.value.has(value)) this.held.value = new Set([...this.held.value].filter((one) => one !== value));
    else this.segments.toggleLock(value);
  }

  /** What "keep other labels" keeps now. */
  get locks(): Locks {
    const { labels } = this.project;
    const inner = innerOf(labels, this.label.value);
    return { locked: this.locked.value, kept: keepOthers.value, active: this.label.value, inner, land: this.land, members: this.members };
  }

  /** Where labels overlap: those that a voxel belongs to. */
  get members(): ((value: number) => number[]) | undefined {
    const { labels } = this.project;
    return overlap(labels) ? (value) => membersOf(labels, value) : undefined;
  }

  /** Whether a voxel of a value belongs to the label in hand, as a tool sees it that works on this one. */
  hasLabel(value: number): boolean {
    return value === this.label.value || innerOf(this.project.labels, this.label.value).has(value);
  }

  /** What a voxel becomes where the label in hand is drawn, or taken away. */
  get land(): Land {
    return landOf(this.project.labels, this.label.value);
  }

  /** Locks hold for what comes into the draft besides the tools, too. */
  readonly guard: Guard = {
    locked: () => this.locked.value,
    refused: (labels, what) => sayLocked(this, labels, what),
    land: () => this.land,
    members: () => this.members,
  };

  get labels(): readonly Label[] {
    return this.labelsOf.value;
  }

  /** What a mask may hold, as it is painted: the labels, and those voxels of several that are not all hidden. */
  get paints(): readonly LabelColour[] {
    return [...this.labels, ...(this.project.shared ?? [])];
  }

  /** What is not painted: hidden labels, and what only these share. */
  get unpainted(): ReadonlySet<number> {
    const hidden = this.hidden.value;
    const shared = (this.project.shared ?? []).filter(({ value }) => membersOf(this.labels, value).every((one) => hidden.has(one)));
    return new Set([...hidden, ...shared.map(({ value }) => value)]);
  }

  /** Whether its reader chose the parts that count. */
  get choseParts(): boolean {
    return this.parts.value.length > 0 && this.opened.assignment.parts.length === 0 && this.named.value.length === 0;
  }

  /** What is queried of the case, or was chosen, and all that a submission keeps; empty for the whole. */
  get queried(): readonly QueriedPart[] {
    return this.parts.value;
  }

  /** The queried parts as boxes; a slice is one voxel thick. */
  get queriedBoxes(): Region[] {
    const { shape } = this.header;
    return this.queried.map((part) => {
      if (!("axis" in part)) return part;
      const edge = (from: number, other: Triple): Triple => other.map((end, axis) => (axis === part.axis ? part.index + from : end)) as Triple;
      return { start: edge(0, [0, 0, 0]), stop: edge(1, shape) };
    });
  }

  /** Whether this slice of a plane is queried, or holds some of a box that is. */
  isQueried(plane: number, slice: number): boolean {
    const axis = this.planes[plane]!.slice_axis;
    return this.queried.some((part) => ("axis" in part ? part.axis === axis && part.index === slice : slice >= part.start[axis]! && slice < part.stop[axis]!));
  }

  /** "Axial slice 7 of 36", "Region 2 (Axial slice 7 of 36)". */
  partTitle(number: number): string {
    const part = this.queried[number]!;
    if (this.isPicture) return `Region ${number + 1}`;
    const box = this.queriedBoxes[number]!;
    const plane = this.planes[this.main]!;
    const at = "axis" in part ? this.planes.findIndex(({ slice_axis }) => slice_axis === part.axis) : this.main;
    const axis = "axis" in part ? part.axis : plane.slice_axis;
    const [first, last] = [box.start[axis]! + 1, box.stop[axis]!];
    const named = this.isFilm ? "Frame" : `${this.planeTitle(at)} slice`;
    const slices = `${named}${first === last ? ` ${first}` : `s ${first}–${last}`} of ${this.header.shape[axis]}`;
    return "axis" in part ? slices : `Region ${number + 1} (${slices})`;
  }

  /** The anatomical name, else the directions of the file that the plane shows: without orientation nobody knows more. */
  planeTitle(index: number): string {
    const { name, x_axis, y_axis } = this.planes[index]!;
    if (!this.header.oriented)
      return this.isFlat
        ? "Image"
        : `Plane ${[x_axis, y_axis]
            .sort()
            .map((axis) => "IJK"[axis])
            .join("–")}`;
    return name[0]!.toUpperCase() + name.slice(1);
  }

  sliceNumber(plane: number): number {
    return this.numbers[plane]!.value;
  }

  lookAt(voxel: Triple): void {
    this.moved = true;
    const next = clampVoxel(this.header.shape, voxel);
    if (next.some((v, axis) => v !== this.crosshair.value[axis])) this.crosshair.value = next;
  }

  moveSlice(plane: number, by: number): void {
    const axis = this.planes[plane]!.slice_axis;
    const next: Triple = [...this.crosshair.value];
    next[axis]! += by;
    this.lookAt(next);
  }

  resetViews(): void {
    for (const view of this.views) view.value = FITTED;
  }

  /** Over: nothing is sent any more, and nobody waits for answers that are out. */
  close(): void {
    this.film.stop();
    this.drag?.finish();
    this.editing.end();
    this.closed = true;
    this.queue?.close();
    this.measurements.outbox?.close();
    this.advice.close();
  }
}

/** The middle of a slice or box that is queried; along a slice's plane the place stays. */
export function placeIn(part: QueriedPart, from: Triple): Triple {
  const to: Triple = [...from];
  if ("axis" in part) to[part.axis] = part.index;
  else part.start.forEach((first, axis) => (to[axis] = (first + part.stop[axis]! - 1) >> 1));
  return to;
}

/** The case on the screen, if any. */
export const current = signal<CaseSession | null>(null);
