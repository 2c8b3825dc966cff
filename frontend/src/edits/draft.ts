/** The mask being edited, with its undo stack and its queue: every change goes through here. */
import { signal } from "@preact/signals";
import type { Link, Run } from "../api/types";
import { LabelCounts } from "./counts";
import { History } from "./history";
import type { Guard } from "./locks";
import type { SaveState } from "./outbox";
import { PromptBook } from "./prompts";
import type { PatchQueue } from "./queue";
import { applyRuns, difference, type Edit, heldBack, inverseOf, opposite, type Step } from "./runs";

export class Draft {
  /** Counts changes of the mask; drawings depend on it. */
  readonly changes = signal(0);
  readonly saveState = signal<SaveState>("saved");
  readonly pending = signal(0);
  /** How many of them end with the page, because the browser does not keep them. */
  readonly unkept = signal(0);
  readonly canUndo = signal(false);
  readonly canRedo = signal(false);
  readonly revision = signal(0);
  /** The prompts that hold now. */
  readonly prompts = new PromptBook();
  private readonly history = new History();
  private queue: PatchQueue | null = null;
  readonly counts: LabelCounts;
  /** Hears of every stroke and of every step back. */
  onEdit: (what: "strokes" | "undos") => void = () => undefined;

  /** Hears of every run that somebody drew or accepted. */
  onDrawn: (runs: readonly Run[]) => void = () => undefined;

  constructor(
    readonly mask: Uint8Array,
    private readonly guard: Guard = { locked: () => new Set(), refused: () => undefined },
  ) {
    this.counts = new LabelCounts(mask);
  }

  attach(queue: PatchQueue): void {
    this.queue = queue;
    this.revision.value = queue.revision;
  }

  /**
   * The answer to a prompt, which the server saved already: one step of undo that takes the prompt along.
   * Where it changed a label that was locked meanwhile, the server gets that back.
   */
  accept(runs: Run[], revision: number, link: Link): void {
    const { free, back, labels } = heldBack(this.mask, runs, this.guard.locked(), this.guard.members?.());
    this.history.push({ forward: free, inverse: this.write(free), redo: link, undo: opposite(link) });
    this.queue?.advance(revision);
    this.queue?.push(back);
    if (labels.size > 0) this.guard.refused(labels, "answer");
    this.onDrawn(free);
    this.changed();
  }

  /** A prompt that already changed the mask ends: make it one patch and one step of undo. */
  commit(edit: Edit): void {
    if (edit.forward.length === 0) return;
    edit = this.landed(edit);
    this.history.push(edit);
    this.counts.move(edit.inverse, edit.forward);
    this.queue?.push(edit.forward, edit.redo);
    this.onEdit("strokes");
    this.onDrawn(edit.forward);
    this.changed();
  }

  /** What may share voxels with a label that was drawn or taken away is left. */
  private landed(edit: Edit): Edit {
    const land = edit.exact ? undefined : this.guard.land?.();
    if (!land) return edit;
    let left = false;
    for (const [start, length, from] of edit.inverse) {
      for (let i = start; i < start + length; i++) {
        const value = land(from, this.mask[i]!);
        if (this.mask[i] === value) continue;
        this.mask[i] = value;
        left = true;
      }
    }
    return left ? { ...edit, forward: inverseOf(this.mask, edit.inverse) } : edit;
  }

  undo(): boolean {
    const undone = this.replay("undo", "redo");
    if (undone) this.onEdit("undos");
    return undone;
  }

  redo(): boolean {
    return this.replay("redo", "undo");
  }

  /** Take over edits drawn earlier, as steps of undo; the caller hands them to the queue. */
  adopt(patches: readonly Step[]): void {
    for (const { runs, link } of patches) {
      this.history.push({ forward: runs, inverse: this.write(runs), ...(link && { redo: link, undo: opposite(link) }) });
      if (link) this.prompts.follow(link);
      this.onDrawn(runs);
    }
    this.changed();
  }

  /** Start over from the server's mask; the undo stack belonged to another past. */
  reset(mask: Uint8Array): void {
    this.mask.set(mask);
    this.counts.restart(mask);
    this.history.clear();
    this.changed();
  }

  /** The runs that bring back what the locked labels keep of an earlier mask. */
  held(before: Uint8Array): Run[] {
    const { back, labels } = heldBack(before, difference(before, this.mask).forward, this.guard.locked(), this.guard.members?.());
    if (labels.size > 0) this.guard.refused(labels, "answer");
    return back;
  }

  changed(): void {
    this.changes.value++;
    this.canUndo.value = this.history.canUndo;
    this.canRedo.value = this.history.canRedo;
  }

  /** All of a step or nothing of it: a step that would change a locked label stays where it is. */
  private replay(which: "undo" | "redo", back: "undo" | "redo"): boolean {
    const step: Step | null = this.history[which]();
    if (!step) return false;
    const { labels } = heldBack(this.mask, step.runs, this.guard.locked(), this.guard.members?.());
    if (labels.size > 0) {
      this.history[back]();
      this.guard.refused(labels, "step");
      return false;
    }
    this.write(step.runs);
    if (step.link) this.prompts.follow(step.link);
    this.queue?.push(step.runs, step.link);
    this.changed();
    return true;
  }

  /** Gives the runs that bring back what was there. */
  private write(runs: readonly Run[]): Run[] {
    const inverse = inverseOf(this.mask, runs);
    applyRuns(this.mask, runs);
    this.counts.move(inverse, runs);
    return inverse;
  }
}
