/** Undo and redo without limit: two stacks of edits, one per gesture. */
import type { Run } from "../api/types";
import type { Edit } from "./runs";

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

  /** The runs to apply, or null when there is nothing to undo. */
  undo(): Run[] | null {
    const edit = this.done.pop();
    if (!edit) return null;
    this.undone.push(edit);
    return edit.inverse;
  }

  redo(): Run[] | null {
    const edit = this.undone.pop();
    if (!edit) return null;
    this.done.push(edit);
    return edit.forward;
  }

  clear(): void {
    this.done = [];
    this.undone = [];
  }
}
