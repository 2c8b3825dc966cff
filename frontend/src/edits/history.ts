/** Undo and redo without limit: two stacks of edits, one per gesture. */
import { type Edit, type Step, stepOf } from "./runs";

export class History {
  private done: Edit[] = [];
  private undone: Edit[] = [];

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  get length(): number {
    return this.done.length;
  }

  push(edit: Edit): void {
    this.done.push(edit);
    this.undone = [];
  }

  /** What to apply, or null when there is nothing to undo. */
  undo(): Step | null {
    const edit = this.done.pop();
    if (!edit) return null;
    this.undone.push(edit);
    return stepOf(edit.inverse, edit.undo);
  }

  redo(): Step | null {
    const edit = this.undone.pop();
    if (!edit) return null;
    this.done.push(edit);
    return stepOf(edit.forward, edit.redo);
  }

  clear(): void {
    this.done = [];
    this.undone = [];
  }
}
