/** The mask being edited, with its undo stack and its queue: every change goes through here. */
import { signal } from "@preact/signals";
import type { Link, Run } from "../api/types";
import { History } from "./history";
import { PromptBook } from "./prompts";
import type { PatchQueue, SaveState } from "./queue";
import { applyRuns, type Edit, inverseOf, opposite, type Step } from "./runs";

export class Draft {
  /** Counts changes of the mask; drawings depend on it. */
  readonly changes = signal(0);
  readonly saveState = signal<SaveState>("saved");
  readonly pending = signal(0);
  readonly canUndo = signal(false);
  readonly canRedo = signal(false);
  readonly revision = signal(0);
  /** The prompts that hold now. */
  readonly prompts = new PromptBook();
  private readonly history = new History();
  private queue: PatchQueue | null = null;
  /** Hears of every stroke and of every step back. */
  onEdit: (what: "strokes" | "undos") => void = () => undefined;

  constructor(readonly mask: Uint8Array) {}

  attach(queue: PatchQueue): void {
    this.queue = queue;
    this.revision.value = queue.revision;
  }

  /** The answer to a prompt, which the server saved already: one step of undo that takes the prompt along. */
  accept(runs: Run[], revision: number, link: Link): void {
    const edit = { forward: runs, inverse: inverseOf(this.mask, runs), redo: link, undo: opposite(link) };
    applyRuns(this.mask, runs);
    this.history.push(edit);
    this.queue?.advance(revision);
    this.changed();
  }

  /** A prompt that already changed the mask ends: make it one patch and one step of undo. */
  commit(edit: Edit): void {
    if (edit.forward.length === 0) return;
    this.history.push(edit);
    this.queue?.push(edit.forward, edit.redo);
    this.onEdit("strokes");
    this.changed();
  }

  undo(): boolean {
    const undone = this.replay(this.history.undo());
    if (undone) this.onEdit("undos");
    return undone;
  }

  redo(): boolean {
    return this.replay(this.history.redo());
  }

  /** Take over edits drawn earlier, as steps of undo; the caller hands them to the queue. */
  adopt(patches: readonly Step[]): void {
    for (const { runs, link } of patches) {
      const inverse = inverseOf(this.mask, runs);
      applyRuns(this.mask, runs);
      this.history.push({ forward: runs, inverse, ...(link && { redo: link, undo: opposite(link) }) });
      if (link) this.prompts.follow(link);
    }
    this.changed();
  }

  /** Start over from the server's mask; the undo stack belonged to another past. */
  reset(mask: Uint8Array): void {
    this.mask.set(mask);
    this.history.clear();
    this.changed();
  }

  changed(): void {
    this.changes.value++;
    this.canUndo.value = this.history.canUndo;
    this.canRedo.value = this.history.canRedo;
  }

  private replay(step: Step | null): boolean {
    if (!step) return false;
    applyRuns(this.mask, step.runs);
    if (step.link) this.prompts.follow(step.link);
    this.queue?.push(step.runs, step.link);
    this.changed();
    return true;
  }
}
