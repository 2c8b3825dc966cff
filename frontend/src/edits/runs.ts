/**
 * Runs: the one form in which an edit exists, as undo, autosave, crash recovery and audit.
 * A run (start, length, value) sets voxels absolutely, so applying it twice is the same as once.
 */
import type { Link, Run } from "../api/types";
import { differing, type MayPaint } from "./locks";
import type { Land } from "./nested";

/** What one patch does: runs, and which prompts go with them. */
export interface Step {
  runs: Run[];
  link?: Link;
}

export interface Edit {
  forward: Run[];
  inverse: Run[];
  /** Prompts that go along when the edit is made again or undone. */
  redo?: Link;
  undo?: Link;
  /** As somebody else's mask says, whatever the label in hand shares voxels with. */
  exact?: boolean;
}

export const stepOf = (runs: Run[], link?: Link): Step => (link ? { runs, link } : { runs });

export const opposite = (link: Link): Link => ({ withdraws: link.restores ?? [], restores: link.withdraws ?? [] });

export function applyRuns(mask: Uint8Array, runs: readonly Run[]): void {
  for (const [start, length, value] of runs) mask.fill(value, start, start + length);
}

/** Whether the mask already says what the runs would write. */
export function alreadyApplied(mask: Uint8Array, runs: readonly Run[]): boolean {
  return runs.every(([start, length, value]) => {
    for (let i = start; i < start + length; i++) if (mask[i] !== value) return false;
    return true;
  });
}

/** The runs that bring back what `runs` would overwrite, in the mask as it is now. */
export function inverseOf(mask: Uint8Array, runs: readonly Run[]): Run[] {
  const inverse: Run[] = [];
  for (const [start, length] of runs) {
    for (let i = start; i < start + length; i++) extend(inverse, i, mask[i]!);
  }
  return inverse;
}

/** Runs parted by the locked labels: what may be written, the runs that bring back what may not, and the labels because of which. */
export function heldBack(
  mask: Uint8Array,
  runs: readonly Run[],
  locked: ReadonlySet<number>,
  members?: (value: number) => number[],
): { free: Run[]; back: Run[]; labels: ReadonlySet<number> } {
  const [free, back, labels]: [Run[], Run[], Set<number>] = [[], [], new Set()];
  if (locked.size === 0) return { free: [...runs], back, labels };
  for (const [start, length, value] of runs) {
    for (let i = start; i < start + length; i++) {
      const from = mask[i]!;
      const held = from === value ? undefined : (members ? differing(members(from), members(value)) : [from, value]).find((one) => locked.has(one));
      if (held === undefined) extend(free, i, value);
      else {
        extend(back, i, from);
        labels.add(held);
      }
    }
  }
  return { free, back, labels };
}

/** The edit that turns one mask into another. */
export function difference(mask: Uint8Array, wanted: Uint8Array): Edit {
  const edit: Edit = { forward: [], inverse: [] };
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === wanted[index]) continue;
    extend(edit.forward, index, wanted[index]!);
    extend(edit.inverse, index, mask[index]!);
  }
  return edit;
}

export function extend(runs: Run[], index: number, value: number): void {
  const last = runs[runs.length - 1];
  if (last && last[2] === value && last[0] + last[1] === index) last[1]++;
  else runs.push([index, 1, value]);
}

/**
 * Collects the voxels that one gesture changes. A gesture paints one label, so a voxel changes at most
 * once and needs no look-up: it is recorded when drawing changes it, and nothing changes it again.
 */
export class Recorder {
  private indices = new Int32Array(1024);
  private before = new Uint8Array(1024);
  private count = 0;
  /** What stood where it might not paint. */
  readonly kept = new Set<number>();

  constructor(
    private readonly mask: Uint8Array,
    readonly value: number,
    private readonly may: MayPaint,
    private readonly land: Land = (_, to) => to,
  ) {}

  get size(): number {
    return this.count;
  }

  paint(index: number): void {
    const old = this.mask[index]!;
    const to = this.land(old, this.value);
    if (old === to) return;
    if (!this.may(old, this.value, index)) return void this.kept.add(old);
    if (this.count === this.indices.length) this.grow();
    this.indices[this.count] = index;
    this.before[this.count++] = old;
    this.mask[index] = to;
  }

  /** Undo what was painted so far, as if the gesture never happened. */
  abandon(): void {
    for (let n = 0; n < this.count; n++) this.mask[this.indices[n]!] = this.before[n]!;
    this.count = 0;
  }

  edit(): Edit {
    const order = Array.from({ length: this.count }, (_, n) => n).sort((a, b) => this.indices[a]! - this.indices[b]!);
    const forward: Run[] = [];
    const inverse: Run[] = [];
    for (const n of order) {
      extend(forward, this.indices[n]!, this.mask[this.indices[n]!]!);
      extend(inverse, this.indices[n]!, this.before[n]!);
    }
    return { forward, inverse };
  }

  private grow(): void {
    const indices = new Int32Array(this.indices.length * 2);
    const before = new Uint8Array(this.indices.length * 2);
    indices.set(this.indices);
    before.set(this.before);
    this.indices = indices;
    this.before = before;
  }
}
