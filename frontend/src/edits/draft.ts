/** The mask being edited, with its undo stack and its queue: every change goes through here. */
import { signal } from "@preact/signals";
import type { Run } from "../api/types";
import { History } from "./history";
import type { PatchQueue, SaveState } from "./queue";
import { applyRuns, type Edit, inverseOf } from "./runs";

export class Draft {
  /** Counts changes of the mask; drawings depend on it. */
  readonly changes = signal(0);
  readonly saveState = signal<SaveState>("saved");
  readonly pending = signal(0);
  readonly canUndo = signal(false);
  readonly canRedo = signal(false);
  readonly revision = signal(0);
  private readonly history = new History();
  private queue: PatchQueue | null = null;

  constructor(readonly mask: Uint8Array) {}

  attach(queue: PatchQueue): void {
    this.queue = queue;
    this.revision.value = queue.revision;
  }

  /** A gesture that already changed the mask ends: make it one patch and one step of undo. */
  commit(edit: Edit): void {
    if (edit.forward.length === 0) return;
    this.history.push(edit);
    this.queue?.push(edit.forward);
    this.changed();
  }

  undo(): boolean {
    return this.replay(this.history.undo());
  }

  redo(): boolean {
    return this.replay(this.history.redo());
  }

  /** Take over edits drawn earlier, as steps of undo; the caller hands them to the queue. */
  adopt(patches: readonly Run[][]): void {
    for (const forward of patches) {
      const inverse = inverseOf(this.mask, forward);
      applyRuns(this.mask, forward);
      this.history.push({ forward, inverse });
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

  private replay(runs: Run[] | null): boolean {
    if (!runs) return false;
    applyRuns(this.mask, runs);
    this.queue?.push(runs);
    this.changed();
    return true;
  }
}
