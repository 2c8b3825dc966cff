/**
 * Which voxels may change: the one rule for every tool, and what an engine is told.
 * A voxel whose old or new value is a locked label stays as it is. With "Keep others" every label but the one in the hand is locked.
 */

import type { Land } from "./nested";

export interface Locks {
  /** Labels locked in the table of segments. */
  locked: ReadonlySet<number>;
  /** "Keep others". */
  kept: boolean;
  /** The label in the hand. */
  active: number;
  /** Labels inside the active one: their voxels are its own, and drawing it changes none of them. */
  inner?: ReadonlySet<number>;
  /** Where labels overlap: what a voxel would become, and the labels that it belongs to; a locked label keeps its voxels, and another may join it. */
  land?: Land;
  members?: (value: number) => number[];
}

/** The labels that one of two voxels belongs to and the other does not. */
export const differing = (one: readonly number[], other: readonly number[]): number[] => [
  ...one.filter((value) => !other.includes(value)),
  ...other.filter((value) => !one.includes(value)),
];

export type MayChange = (from: number, to: number) => boolean;
/** The same of one voxel, by its flat index too: its value or place may matter. */
export type MayPaint = (from: number, to: number, index: number) => boolean;

export function mayChange({ locked, kept, active, inner, land, members }: Locks): MayChange {
  const free = (value: number): boolean => !locked.has(value) && (!kept || value === 0 || value === active);
  if (members) {
    const known = new Map<number, boolean>(); // a stroke asks the same of many voxels
    const may = (from: number, to: number): boolean =>
      differing(members(from), members(land?.(from, to) ?? to)).every(free) && !(to === active && inner?.has(from));
    return (from, to) => {
      const key = 256 * from + to;
      const found = known.get(key) ?? may(from, to);
      known.set(key, found);
      return found;
    };
  }
  return (from, to) => free(from) && free(to) && !(to === active && inner?.has(from));
}

/** The labels that an engine must leave alone: the same rule, as a list. */
export function lockedLabels(locks: Locks, labels: readonly { value: number }[]): number[] {
  const may = mayChange({ ...locks, members: undefined });
  return labels.map(({ value }) => value).filter((value) => !may(value, value) || locks.inner?.has(value));
}

/** Holds what comes into the draft besides the tools, such as answers and undo, to the locked labels. */
export interface Guard {
  locked: () => ReadonlySet<number>;
  /** The labels because of which an answer was applied in part, or a step not at all. */
  refused: (labels: ReadonlySet<number>, what: "answer" | "step") => void;
  /** What a voxel becomes where a tool draws or takes away. */
  land?: () => Land;
  /** See `Locks`. */
  members?: () => Locks["members"];
}
