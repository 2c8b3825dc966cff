/**
 * Labels that share voxels: one that lies inside another belongs to both, and the mask holds the inner one; voxels of labels that overlap
 * have a value of their own, and what drawing makes of them the server says (`drawn`, `left`), so that there is one truth.
 */
import type { Label } from "../api/types";

/** What a voxel becomes: from a value to the one that is drawn, or to 0 where the label in hand is taken away. */
export type Land = (from: number, to: number) => number;

const find = (labels: readonly Label[], value: number): Label | undefined => labels.find((one) => one.value === value);

export const overlap = (labels: readonly Label[]): boolean => labels.some(({ left }) => left && Object.keys(left).length > 0);

const holding = (labels: readonly Label[], value: number): readonly Label[] => labels.filter(({ left }) => left?.[value] !== undefined);

/** The labels that a voxel belongs to, by its value; of a project in which labels overlap. */
export const membersOf = (labels: readonly Label[], value: number): number[] => holding(labels, value).map((one) => one.value);

/** "vessel + tumour". */
export const sharedName = (labels: readonly Label[], value: number): string =>
  holding(labels, value)
    .map(({ name }) => name)
    .join(" + ");

export function landOf(labels: readonly Label[], active: number): Land {
  const [{ drawn, left } = {} as Partial<Label>, ground] = [find(labels, active), groundOf(labels, active)];
  if (!overlap(labels)) return (from, to) => (to === 0 ? ground(from) : to);
  return (from, to) => (to === active ? drawn?.[from] : to === 0 ? left?.[from] : undefined) ?? to;
}

/** The mask as whoever works on one label only sees it: with all voxels that belong to it. */
export function aloneIn(mask: Uint8Array, labels: readonly Label[], value: number): Uint8Array {
  const inner = innerOf(labels, value);
  return inner.size === 0 ? mask : mask.map((one) => (inner.has(one) ? value : one));
}

/** The other values whose voxels belong to a label: of those that lie inside it, at any depth, and those that it shares. */
export function innerOf(labels: readonly Label[], value: number): ReadonlySet<number> {
  if (overlap(labels))
    return new Set(
      Object.keys(find(labels, value)?.left ?? {})
        .map(Number)
        .filter((one) => one !== value),
    );
  const found = new Set<number>();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const one of labels) if (one.inside && (one.inside === value || found.has(one.inside))) found.add(one.value);
  }
  found.delete(value);
  return found;
}

/** The label that one lies inside of; 0 for none. */
export const outerOf = (labels: readonly Label[], value: number): number => find(labels, value)?.inside ?? 0;

/** What is left of a voxel that loses the label in hand, with whatever lies inside it: the label around it. */
export function groundOf(labels: readonly Label[], active: number): (from: number) => number {
  const [outer, inner] = [outerOf(labels, active), innerOf(labels, active)];
  return (from) => (from === active || inner.has(from) ? outer : 0);
}
