/**
 * Which voxels may change: the one rule of "Keep other labels", for every tool, and what an engine is told.
 * With it, only the label in the hand comes and goes; a voxel whose old or new value is another label stays as it is.
 */

export interface Locks {
  /** "Keep other labels". */
  kept: boolean;
  /** The label in the hand. */
  active: number;
}

export type MayChange = (from: number, to: number) => boolean;

export function mayChange({ kept, active }: Locks): MayChange {
  if (!kept) return () => true;
  const free = (value: number): boolean => value === 0 || value === active;
  return (from, to) => free(from) && free(to);
}

/** The labels that an engine must leave alone: the same rule, as a list. */
export function lockedLabels({ kept, active }: Locks, labels: readonly { value: number }[]): number[] {
  return kept ? labels.map(({ value }) => value).filter((value) => value !== active) : [];
}
