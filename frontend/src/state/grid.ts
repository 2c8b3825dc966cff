/**
 * Many pictures at once, a key for each class: every one is opened when it is chosen and submitted as any annotation, with the time
 * since the one before, shared among those that one key classed together.
 */
import { signal } from "@preact/signals";
import * as calls from "../api/calls";
import type { CaseLine, Project } from "../api/types";
import { EffortTimer } from "../edits/effort";
import { newSession } from "./effort";
import type { Filters } from "./filters";
import { tell, tellError, tellFailed } from "./notices";

const PART = 60;
/** So many pictures before the end the next ones are fetched. */
const AHEAD = 24;

/** What was given to a case in this visit; `sent` once the server has it. */
export interface Given {
  tag: number;
  sent: boolean;
}

export class Grid {
  readonly lines = signal<readonly CaseLine[]>([]);
  readonly total = signal<number | null>(null);
  readonly at = signal(0);
  readonly chosen = signal<ReadonlySet<string>>(new Set());
  readonly given = signal<ReadonlyMap<string, Given>>(new Map());
  private readonly opened = new Map<string, Promise<string>>();
  /** What each key classed, in the order of the keys; the last ones perhaps on their way. */
  private readonly batches: Promise<string[]>[] = [];
  private readonly timer = new EffortTimer(performance.now());
  private cursor: string | null = "";
  private loading = false;
  private anchor = 0;

  constructor(
    readonly project: Project,
    private readonly filters: Filters,
  ) {}

  get current(): CaseLine | undefined {
    return this.lines.value[this.at.value];
  }

  /** Fetch further pictures, unless all are here. */
  async more(): Promise<void> {
    if (this.loading || this.cursor === null) return;
    this.loading = true;
    try {
      const page = await calls.listCases(this.project.id, this.filters, { limit: PART, after: this.cursor });
      const known = new Set(this.lines.value.map(({ id }) => id));
      this.lines.value = [...this.lines.value, ...page.rows.filter(({ id }) => !known.has(id))];
      this.total.value = page.total;
      this.cursor = page.cursor || null;
    } catch (error) {
      tellError(error);
    } finally {
      this.loading = false;
    }
  }

  /** Go to a picture; with `extend` everything up to it is selected. */
  goTo(index: number, extend = false): void {
    const to = Math.max(0, Math.min(index, this.lines.value.length - 1));
    this.beat();
    if (extend) {
      const [first, last] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
      this.chosen.value = new Set(this.lines.value.slice(first, last + 1).map(({ id }) => id));
    } else this.anchor = to;
    this.at.value = to;
    if (to >= this.lines.value.length - AHEAD) void this.more();
  }

  /** Select the current picture, or no longer. */
  toggle(): void {
    const id = this.current?.id;
    if (!id) return;
    const next = new Set(this.chosen.value);
    if (!next.delete(id)) next.add(id);
    this.anchor = this.at.value;
    this.chosen.value = next;
  }

  /** What is looked at counts as open, so that nobody else gets it meanwhile; what was passed over is given back to them at once. */
  openLooked(): void {
    const looked = this.targets();
    this.release((id) => !looked.includes(id));
    for (const id of looked) this.open(id).catch(() => undefined); // said when it is submitted
  }

  /** Everything that has no class is given back: the grid is left, or its page goes away. */
  releaseAll(): void {
    this.release(() => true);
  }

  /** Class what is selected, else the current picture. */
  async give(tag: number): Promise<void> {
    const targets = this.targets();
    if (targets.length === 0) return;
    const seconds = this.timer.report(performance.now(), false).active_seconds / targets.length;
    this.timer.startOver(performance.now(), "");
    for (const id of targets) this.mark(id, { tag, sent: false });
    this.chosen.value = new Set();
    const next = this.lines.value.findIndex(({ id }, index) => index > this.at.value && !this.given.value.has(id));
    this.goTo(next < 0 ? this.at.value : next);
    const sent = Promise.all(targets.map((id) => this.submit(id, tag, seconds))).then((ids) => ids.flatMap((id) => id ?? []));
    this.batches.push(sent);
    if ((await sent).length === 0 && this.batches.includes(sent)) this.batches.splice(this.batches.indexOf(sent), 1);
  }

  /** Take back what the last key gave. */
  async undo(): Promise<void> {
    const batch = await this.batches.pop();
    if (!batch) return tell("info", "Nothing of this visit is left to undo");
    if (batch.length === 0) return; // refused, and said so
    for (const id of batch) {
      try {
        await calls.undoSubmit(this.project.id, await this.open(id));
        this.mark(id, null);
      } catch (error) {
        tellError(error);
      }
    }
    this.goTo(this.lines.value.findIndex(({ id }) => id === batch[0]));
  }

  beat(): void {
    this.timer.beat(performance.now());
  }

  leave(): void {
    this.timer.leave(performance.now());
  }

  private targets(): string[] {
    const ids = this.chosen.value.size > 0 ? [...this.chosen.value] : this.current ? [this.current.id] : [];
    return ids.filter((id) => !this.given.value.has(id));
  }

  /** What fails here is given back when its lease runs out. */
  private release(passed: (id: string) => boolean): void {
    for (const [id, opening] of this.opened) {
      if (this.given.value.has(id) || !passed(id)) continue;
      this.opened.delete(id);
      opening.then((assignment) => calls.release(this.project.id, assignment)).catch(() => undefined);
    }
  }

  private open(id: string): Promise<string> {
    const known = this.opened.get(id);
    if (known) return known;
    const opening = calls.openCase(this.project.id, id).then(({ assignment }) => assignment.id);
    this.opened.set(id, opening);
    opening.catch(() => this.opened.delete(id));
    return opening;
  }

  /** The case, once its class is stored; null when that was refused. */
  private async submit(id: string, tag: number, seconds: number): Promise<string | null> {
    const effort = { session: newSession(), active_seconds: Math.round(seconds * 10) / 10, slices_viewed: 1, ago_seconds: 0 };
    try {
      await calls.submit(this.project.id, await this.open(id), { tag, effort, task_version: this.project.task_version });
      this.mark(id, { tag, sent: true });
      return id;
    } catch (error) {
      this.mark(id, null);
      tellFailed(`${this.lines.value.find((line) => line.id === id)?.name ?? id} has no class`, error);
      return null;
    }
  }

  private mark(id: string, given: Given | null): void {
    const next = new Map(this.given.value);
    if (given) next.set(id, given);
    else next.delete(id);
    this.given.value = next;
  }
}
