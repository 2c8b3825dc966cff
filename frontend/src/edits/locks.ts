/**
 * Which voxels may change: the one rule for every tool, and what an engine is told.
 * A voxel whose old or new value is a locked label stays as it is. With "Keep others" every label but the one in the hand is locked.
 */

export interface Locks {
  /** Labels locked in the table of segments. */
  locked: ReadonlySet<number>;
  /** "Keep others". */
  kept: boolean;
  /** The label in the hand. */
  active: number;
  /** Labels inside the active one: their voxels are its own, and drawing it changes none of them. */
  inner?: ReadonlySet<number>;
}

export type MayChange = (from: number, to: number) => boolean;
/** The same of one voxel, by its flat index too: its value or place may matter. */
export type MayPaint = (from: number, to: number, index: number) => boolean;

export function mayChange({ locked, kept, active, inner }: Locks): MayChange {
  const free = (value: number): boolean => !locked.has(value) && (!kept || value === 0 || value === active);
  return (from, to) => free(from) && free(to) && !(to === active && inner?.has(from));
}

/** The labels that an engine must leave alone: the same rule, as a list. */
export function lockedLabels(locks: Locks, labels: readonly { value: number }[]): number[] {
  const may = mayChange(locks);
  return labels.map(({ value }) => value).filter((value) => !may(value, value) || locks.inner?.has(value));
}

/** Holds what comes into the draft besides the tools, such as answers and undo, to the locked labels. */
export interface Guard {
  locked: () => ReadonlySet<number>;
  /** The labels because of which an answer was applied in part, or a step not at all. */
  refused: (labels: ReadonlySet<number>, what: "answer" | "step") => void;
  /** What is left where a label goes; background without. */
  ground?: () => (from: number) => number;
}
