/** The readings of one case side by side: whose are shown and how, what a reviewer decides, and what they have looked at. */
import { computed, type Signal, signal } from "@preact/signals";
import * as calls from "../api/calls";
import { ApiError } from "../api/errors";
import { annotatorName } from "../api/person";
import type { HistoryLine, Project, Reading, Readings, Region } from "../api/types";
import { keptSignal } from "../browser/kept";
import { Draft } from "../edits/draft";
import { type EffortReport, EffortTimer } from "../edits/effort";
import { voxelCount } from "../geometry/plane";
import { composed, type Difference, differences, disagreement, type Ruling } from "../operations/fusing";
import { arraysOf } from "../volume/cache";
import { receiveMask } from "../volume/download";
import { newSession } from "./effort";
import { lookAt } from "./looking";
import { tell, tellError } from "./notices";
import { lineOf } from "./question";
import { isDerived, lookedAt } from "./readings";
import { CaseSession } from "./session";

export type Manner = "overlay" | "side" | "map";
export const MANNERS: readonly [Manner, string][] = [
  ["overlay", "Overlay"],
  ["side", "Side by side"],
  ["map", "Disagreement"],
];

/** What a map of disagreement shows: the entropy of the consensus, or which share of the readers differ. */
export type MapKind = "entropy" | "readers";
/** Bytes of a map that are hardly drawn. */
const FAINT = 25;

/** How readings are compared; kept across cases. */
export const manner = keptSignal<Manner>("compare", "overlay");

/** Apart from each other for all eyes, on bright and dark tissue; beyond these they repeat, and names tell. */
const COLOURS = ["#56b4e9", "#e69f00", "#f0e442", "#ff7fb2", "#2fd39a", "#c3a6ff", "#ff8f6b", "#b8e04a", "#7fe3dd", "#d9b38c"];
export const STANDING_COLOUR = "#ffffff";

export class Comparison {
  readonly readings: Signal<Readings>;
  readonly history = signal<readonly HistoryLine[]>([]);
  readonly masks = signal<ReadonlyMap<string, Uint8Array>>(new Map());
  /** Entropy of the consensus, 255 = ln(classes); null where there is none of these readings. */
  readonly entropy = signal<Uint8Array | null>(null);
  readonly hidden = signal<ReadonlySet<string>>(new Set());
  readonly standingShown = signal(true);
  readonly onlyLabel = signal<number | null>(null);
  readonly rulings = signal<readonly Ruling[]>([]);
  /** What the reviewer says with the next verdict, whichever that will be; it stays until one is given. */
  readonly comment = signal("");
  /** Somebody has read the case, or given a verdict, since it was read here. */
  readonly changed = signal(false);
  readonly busy = signal(false);
  /** What was done last, in words. */
  readonly outcome = signal("");
  /** Why the last verdict was refused, while it can be tried again. */
  readonly refused = signal("");
  /** Whose annotation the map counts: the readers that are shown. */
  readonly shown = computed(() => this.readers.filter(({ annotation_id: id }) => !this.hidden.value.has(id)));
  readonly disagreement = computed(() => disagreement(this.masksOf(this.shown.value)));
  /** Which map was chosen; null takes the entropy, unless a method is sure everywhere, so that it shows nothing. */
  readonly mapChosen = signal<MapKind | null>(null);
  readonly mapKind = computed((): MapKind => {
    const entropy = this.entropy.value;
    if (entropy === null) return "readers";
    return this.mapChosen.value ?? (entropy.some((value) => value > FAINT) ? "entropy" : "readers");
  });
  readonly map = computed(() => (this.mapKind.value === "entropy" ? this.entropy.value! : this.disagreement.value));
  /** What would stand; the standing mask itself without a ruling. */
  readonly preview = computed(() => this.compose());
  readonly changes = computed((): Difference[] => {
    const before = this.standingMask;
    return before && this.preview.value ? differences(before, this.preview.value) : [];
  });

  constructor(
    readonly session: CaseSession,
    found: Readings,
  ) {
    this.readings = signal(found);
  }

  get project(): Project {
    return this.session.project;
  }

  get caseId(): string {
    return this.session.header.id;
  }

  /** Annotations that people gave on their own. */
  get readers(): readonly Reading[] {
    return this.readings.value.readings.filter((one) => !isDerived(one));
  }

  get standing(): Reading | null {
    return this.readings.value.readings.find(({ standing }) => standing) ?? null;
  }

  get standingMask(): Uint8Array | null {
    return this.masks.value.get(this.standing?.annotation_id ?? "") ?? null;
  }

  /** What a verdict is about. */
  get looked(): calls.LookedAt {
    return lookedAt(this.readings.value);
  }

  /** What a verdict took so far: the time since the one before. */
  get effort(): EffortReport {
    return this.session.effort.report(performance.now(), false);
  }

  colourOf(id: string): string {
    const place = this.readers.findIndex(({ annotation_id }) => annotation_id === id);
    return place < 0 ? STANDING_COLOUR : COLOURS[place % COLOURS.length]!;
  }

  nameOf(id: string): string {
    return this.readings.value.readings.find(({ annotation_id }) => annotation_id === id)?.annotator ?? "somebody";
  }

  masksOf(readings: readonly Reading[]): Uint8Array[] {
    return readings.flatMap(({ annotation_id: id }) => this.masks.value.get(id) ?? []);
  }

  toggle(id: string): void {
    const hidden = new Set(this.hidden.value);
    if (!hidden.delete(id)) hidden.add(id);
    this.hidden.value = hidden;
  }

  /** Whose annotation counts for a label; null for what stands. One ruling per label, before those of boxes. */
  chooseFor(label: number | null, id: string | null): void {
    const others = this.rulings.value.filter((one) => one.box !== null || one.label !== label);
    const boxes = others.filter(({ box }) => box !== null);
    const labels = others.filter(({ box }) => box === null);
    this.rulings.value = [...labels, ...(id === null ? [] : [{ annotation_id: id, label, box: null }]), ...boxes];
  }

  chosenFor(label: number | null): string | null {
    return this.rulings.value.find((one) => one.box === null && one.label === label)?.annotation_id ?? null;
  }

  decideIn(box: Region, id: string, label: number | null): void {
    this.rulings.value = [...this.rulings.value, { annotation_id: id, label, box }];
    this.session.advice.region.value = null;
  }

  withdraw(ruling: Ruling): void {
    this.rulings.value = this.rulings.value.filter((one) => one !== ruling);
  }

  /** Readings that know a label: another reader's background says nothing of it. */
  knowing(label: number | null): readonly Reading[] {
    return label === null ? this.readers : this.readers.filter(({ labels }) => labels.includes(label));
  }

  private compose(): Uint8Array | null {
    const before = this.standingMask;
    const masks = this.masks.value;
    const rulings = this.rulings.value;
    if (!before || rulings.length === 0) return before;
    if (rulings.some(({ annotation_id: id }) => !masks.has(id))) return null;
    return composed(before, rulings, (id) => masks.get(id)!, this.session.header.shape, this.project.labels);
  }

  /** Read everything anew; what a ruling named and is no longer in force is dropped, in words. */
  async reload(): Promise<void> {
    const found = await calls.readReadings(this.project.id, this.caseId);
    this.readings.value = found;
    this.changed.value = false;
    const there = new Set(found.readings.map(({ annotation_id: id }) => id));
    const kept = this.rulings.value.filter(({ annotation_id: id }) => there.has(id));
    if (kept.length < this.rulings.value.length) tell("warning", "Readings that were chosen are no longer in force", "choose again");
    this.rulings.value = kept;
    await this.load();
  }

  async load(): Promise<void> {
    const history = calls.readHistory(this.project.id, this.caseId).then((lines) => (this.history.value = lines));
    await Promise.all([history, this.project.kind === "segmentation" ? this.loadMasks() : null]);
  }

  private async loadMasks(): Promise<void> {
    const { readings, consensus } = this.readings.value;
    const voxels = voxelCount(this.session.header.shape);
    const fetchOne = async ({ annotation_id: id }: Reading): Promise<void> => {
      if (this.masks.value.has(id)) return;
      const mask = await calls.readAnnotationMask(this.project.id, id).then((response) => receiveMask(response, voxels));
      this.masks.value = new Map(this.masks.value).set(id, mask);
    };
    const fetchMap = async (): Promise<void> => {
      this.entropy.value = null;
      if (!consensus?.in_force || !consensus.uncertainty) return;
      const map = await receiveMask(await calls.readConsensusMap(this.project.id, consensus.id), voxels);
      if (this.readings.value.consensus?.id === consensus.id) this.entropy.value = map;
    };
    // A mask whose bytes are damaged is left out, in words; the others are compared all the same.
    await Promise.all([...readings.map(fetchOne), fetchMap()].map((one) => one.catch(tellError)));
    this.session.draft.value = new Draft(this.standingMask?.slice() ?? new Uint8Array(voxels));
  }

  /** Whether the server holds other readings or verdicts than those on the screen. */
  async checkNews(): Promise<void> {
    if (this.busy.value || this.changed.value) return;
    const found = await calls.readReadings(this.project.id, this.caseId);
    if (!this.busy.value && stateOf(found) !== stateOf(this.readings.value)) this.changed.value = true;
  }

  /**
   * One verdict at a time; false where it can be tried again as it is. Where something else stands by now, that is read anew and
   * said, so that nobody decides about what they have not seen.
   */
  async act(work: () => Promise<unknown>, words: string): Promise<boolean> {
    if (this.busy.value) return false;
    this.busy.value = true;
    this.refused.value = this.outcome.value = "";
    try {
      await work();
      this.rulings.value = [];
      this.comment.value = "";
      this.session.effort.startOver(performance.now(), newSession());
      this.outcome.value = words;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) {
        this.refused.value = lineOf(error);
        this.busy.value = false;
        return false;
      }
      // A verdict whose answer was lost is refused as given already when it is sent again.
      const lead = error.code === "wrong_state" ? "" : "Nothing was decided: ";
      tell("error", `${lead}${error.message}`, "the case was loaded again; look at it, then decide");
    }
    await this.reload().catch(tellError);
    this.busy.value = false;
    return true;
  }
}

/** Choices that were neither accepted nor discarded, by case and person; they come back where the readings are the same. */
const left = new Map<string, { looked: string; rulings: readonly Ruling[]; comment: string }>();
const keyOf = (project: Project, caseId: string): string => `${project.id} ${caseId} ${annotatorName.value}`;

export function closeComparison({ session, project, caseId, looked, rulings, comment }: Comparison): void {
  session.close();
  left.set(keyOf(project, caseId), { looked: JSON.stringify(looked), rulings: rulings.value, comment: comment.value });
}

/** The comparison on the screen, if any. */
export const comparison = signal<Comparison | null>(null);

export async function openComparison(project: Project, caseId: string): Promise<Comparison> {
  const found = await calls.readReadings(project.id, caseId);
  const opened = (await lookAt(project, caseId))!;
  const now = performance.now();
  const session = new CaseSession(project, opened, new EffortTimer(now, 0, newSession()), now, "compare");
  const made = new Comparison(session, found);
  const kept = left.get(keyOf(project, caseId));
  if (kept?.looked === JSON.stringify(made.looked)) [made.rulings.value, made.comment.value] = [kept.rulings, kept.comment];
  const arrays = arraysOf(project.id, session.header, null, false, (volume) => {
    session.volume.value = volume;
    session.arrived.value++;
  });
  arrays.volume
    .then((volume) => {
      session.volume.value = volume;
      session.arrived.value++;
    })
    .catch(tellError);
  void made.load().catch(tellError);
  return made;
}

/** What a verdict rests on. */
function stateOf({ readings, reviews, progress, consensus }: Readings): string {
  return JSON.stringify([readings.map(({ annotation_id: id, standing }) => [id, standing]), reviews.length, progress.state, consensus?.id]);
}
