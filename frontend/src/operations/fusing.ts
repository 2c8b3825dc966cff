/** Several masks of one case together: where readers disagree, what rulings make of their masks, and what that changes. */
import type { Label, Region, Triple } from "../api/types";
import { innerOf, landOf } from "../edits/nested";
import { flatIndex } from "../geometry/plane";

/** Whose annotation counts: for one label only, within one box only, or in all. */
export interface Ruling {
  annotation_id: string;
  label: number | null;
  box: Region | null;
}

/** Per voxel the share of the other readers who differ from the most frequent label: 0 for none, 255 for all of them. */
export function disagreement(masks: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = masks;
  const map = new Uint8Array(first?.length ?? 0);
  if (!first || others.length === 0) return map;
  const counts = new Uint16Array(256);
  for (let voxel = 0; voxel < map.length; voxel++) {
    const label = first[voxel]!;
    if (others.every((mask) => mask[voxel] === label)) continue;
    let most = 0;
    for (const mask of masks) most = Math.max(most, ++counts[mask[voxel]!]!);
    for (const mask of masks) counts[mask[voxel]!] = 0;
    map[voxel] = Math.round((255 * (masks.length - most)) / others.length);
  }
  return map;
}

/** What stands, changed by rulings in order; the server composes by the same rule. */
export function composed(
  standing: Uint8Array,
  rulings: readonly Ruling[],
  maskOf: (id: string) => Uint8Array,
  shape: Triple,
  labels: readonly Label[] = [],
): Uint8Array {
  const mask = standing.slice();
  for (const { annotation_id, label, box } of rulings) {
    const reading = maskOf(annotation_id);
    const [inner, land] = [innerOf(labels, label ?? 0), landOf(labels, label ?? 0)];
    const has = (value: number): boolean => value === label || inner.has(value);
    within(box ?? { start: [0, 0, 0], stop: shape }, shape, (voxel) => {
      if (label === null) mask[voxel] = reading[voxel]!;
      else if (has(reading[voxel]!) !== has(mask[voxel]!)) mask[voxel] = land(mask[voxel]!, has(reading[voxel]!) ? label : 0);
    });
  }
  return mask;
}

export interface Difference {
  label: number;
  added: number;
  removed: number;
}

/** Voxels of each label that one mask has and the other has not; labels that are the same are left out. */
export function differences(before: Uint8Array, after: Uint8Array): Difference[] {
  const [added, removed] = [new Uint32Array(256), new Uint32Array(256)];
  for (let voxel = 0; voxel < after.length; voxel++) {
    const [was, is] = [before[voxel]!, after[voxel]!];
    if (was === is) continue;
    removed[was]!++;
    added[is]!++;
  }
  const found: Difference[] = [];
  for (let label = 1; label < 255; label++) {
    if (added[label] || removed[label]) found.push({ label, added: added[label]!, removed: removed[label]! });
  }
  return found;
}

function within({ start, stop }: Region, shape: Triple, act: (voxel: number) => void): void {
  for (let k = start[2]; k < stop[2]; k++) {
    for (let j = start[1]; j < stop[1]; j++) {
      const from = flatIndex(shape, [start[0], j, k]);
      for (let voxel = from; voxel < from + stop[0] - start[0]; voxel++) act(voxel);
    }
  }
}
