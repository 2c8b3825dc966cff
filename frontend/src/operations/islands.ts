/** The islands of a label: pieces that touch over faces (in one slice: edges), not merely over corners. */
import type { Triple } from "../api/types";

export interface Islands {
  /** Number of the island of each voxel, from 1, the largest first; 0 outside. */
  of: Int32Array;
  /** Voxels of each island, descending; place n is island n + 1. Of equal ones the first voxel in file order decides. */
  sizes: number[];
}

export function islandsOf(inside: Uint8Array, shape: Triple): Islands {
  const of = new Int32Array(inside.length);
  const parents: number[] = [0];
  const rootOf = (n: number): number => {
    let root = n;
    while (parents[root] !== root) root = parents[root] = parents[parents[root]!]!;
    return root;
  };
  const [row, plane] = [shape[0], shape[0] * shape[1]];
  for (let index = 0; index < inside.length; index++) {
    if (!inside[index]) continue;
    let own = 0;
    for (let axis = 0; axis < 3; axis++) {
      const before = axis === 0 ? index % row > 0 : axis === 1 ? index % plane >= row : index >= plane;
      const other = before ? of[index - (axis === 0 ? 1 : axis === 1 ? row : plane)]! : 0;
      if (other === 0) continue;
      const root = rootOf(other);
      if (own === 0) own = root;
      else if (own !== root) own = parents[Math.max(own, root)] = Math.min(own, root);
    }
    of[index] = own || parents.length;
    if (own === 0) parents.push(parents.length);
  }
  return ranked(
    of,
    parents.map((_, n) => rootOf(n)),
  );
}

function ranked(of: Int32Array, roots: readonly number[]): Islands {
  const counts = new Int32Array(roots.length);
  for (let index = 0; index < of.length; index++) {
    of[index] = roots[of[index]!]!;
    counts[of[index]!]!++;
  }
  const order = [...new Set(roots.slice(1))].sort((a, b) => counts[b]! - counts[a]! || a - b);
  const numbers = new Int32Array(roots.length);
  order.forEach((root, n) => (numbers[root] = n + 1));
  for (let index = 0; index < of.length; index++) of[index] = numbers[of[index]!]!;
  return { of, sizes: order.map((root) => counts[root]!) };
}
