/** Where the model is least sure: places to visit, most uncertain first. */
import type { Triple } from "../api/types";

/** Edge of a block in mm: about the size of what an eye takes in at once. */
const BLOCK_MM = 10;
const MOST_PLACES = 20;
/** Blocks whose mean uncertainty is below this share of the scale are not worth a visit. */
const LEAST_MEAN = 4;

interface Block {
  mean: number;
  peak: Triple;
}

/** The most uncertain voxel of each uncertain block; neighbouring blocks count once. */
export function uncertainPlaces(map: Uint8Array, shape: Triple, spacing: Triple): Triple[] {
  const edge = spacing.map((mm, axis) => Math.max(1, Math.min(shape[axis]!, Math.round(blockMm(shape, spacing) / mm)))) as Triple;
  const blocks = measureBlocks(map, shape, edge)
    .filter((block) => block.mean >= LEAST_MEAN)
    .sort((a, b) => b.mean - a.mean);
  const places: Triple[] = [];
  for (const { peak } of blocks) {
    if (places.length === MOST_PLACES) break;
    if (places.every((other) => apart(other, peak, edge))) places.push(peak);
  }
  return places;
}

/** 2D pictures often lack a real pixel size: then a block is a sixteenth of the picture. */
function blockMm(shape: Triple, spacing: Triple): number {
  const longest = Math.max(...shape.map((n, axis) => n * spacing[axis]!));
  return Math.min(Math.max(BLOCK_MM, longest / 32), longest / 8);
}

function measureBlocks(map: Uint8Array, shape: Triple, edge: Triple): Block[] {
  const counts = shape.map((n, axis) => Math.ceil(n / edge[axis]!)) as Triple;
  const total = counts[0] * counts[1] * counts[2];
  const sums = new Float64Array(total);
  const voxels = new Uint32Array(total);
  const peaks = new Int16Array(total).fill(-1);
  const peakAt = new Uint32Array(total);
  let index = 0;
  for (let k = 0; k < shape[2]; k++) {
    for (let j = 0; j < shape[1]; j++) {
      const row = counts[0] * (Math.floor(j / edge[1]) + counts[1] * Math.floor(k / edge[2]));
      for (let i = 0; i < shape[0]; i++, index++) {
        const block = row + Math.floor(i / edge[0]);
        const value = map[index]!;
        sums[block]! += value;
        voxels[block]!++;
        if (value > peaks[block]!) {
          peaks[block] = value;
          peakAt[block] = index;
        }
      }
    }
  }
  return Array.from(sums, (sum, n) => ({ mean: sum / voxels[n]!, peak: voxelAt(peakAt[n]!, shape) }));
}

function voxelAt(index: number, shape: Triple): Triple {
  const plane = shape[0] * shape[1];
  return [index % shape[0], Math.floor((index % plane) / shape[0]), Math.floor(index / plane)];
}

function apart(a: Triple, b: Triple, edge: Triple): boolean {
  return a.some((value, axis) => Math.abs(value - b[axis]!) > edge[axis]!);
}
