/** Labels that lie inside others: a voxel of the inner one belongs to both, and the mask holds the inner one. */
import type { Label } from "../api/types";

/** The labels that lie inside one, at any depth. */
export function innerOf(labels: readonly Label[], value: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const one of labels) if (one.inside && (one.inside === value || found.has(one.inside))) found.add(one.value);
  }
  found.delete(value);
  return found;
}

/** The label that one lies inside of; 0 for none. */
export const outerOf = (labels: readonly Label[], value: number): number => labels.find((one) => one.value === value)?.inside ?? 0;

/** What is left of a voxel that loses the label in hand, with whatever lies inside it: the label around it. */
export function groundOf(labels: readonly Label[], active: number): (from: number) => number {
  const [outer, inner] = [outerOf(labels, active), innerOf(labels, active)];
  return (from) => (from === active || inner.has(from) ? outer : 0);
}
