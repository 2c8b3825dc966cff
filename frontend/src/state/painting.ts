/** Where may be drawn: by the locks, within a range of values, and for operations within what is queried. */
import type { Region, Triple } from "../api/types";
import { type MayPaint, mayChange } from "../edits/locks";
import { innerOf, outerOf, overlap } from "../edits/nested";
import { sweepBrush } from "../geometry/brush";
import { clampVoxel, type Pixel, pixelOfVoxel, voxelOfIndex } from "../geometry/plane";
import { cut } from "../operations/block";
import { type Range, within } from "../operations/flood";
import type { ChannelView } from "../render/slice";
import { channelOf, type Volume, type Voxels } from "../volume/volume";
import { brushRadiusMm } from "./display";
import type { CaseSession } from "./session";

/** The value of a voxel of the channel that is shown; of colours their mean. */
export function valuesOf(volume: Volume, view: ChannelView): (index: number) => number {
  if (view !== "rgb") {
    const values = channelOf(volume, view);
    return (index) => values[index]!;
  }
  const { values, voxels } = volume;
  return (index) => (values[index]! + values[index + voxels]! + values[index + 2 * voxels]!) / 3;
}

export function valuesIn(volume: Volume, view: ChannelView, box: Region): Voxels {
  if (view !== "rgb") return cut(channelOf(volume, view), volume.shape, box);
  const [red, green, blue] = [0, 1, 2].map((channel) => cut(channelOf(volume, channel), volume.shape, box)) as [Voxels, Voxels, Voxels];
  return Float32Array.from(red, (value, n) => (value + green[n]! + blue[n]!) / 3);
}

/** The range that holds now; null where every value may be drawn on. */
export const rangeInForce = ({ segments }: CaseSession): Range | null => (segments.rangeUsed.value ? segments.range.value : null);

/** The one rule for all that is drawn by hand. */
export function mayPaint(session: CaseSession, boxes: readonly Region[] = [], exact = false): MayPaint {
  const may = mayChange(exact ? { ...session.locks, land: undefined } : session.locks);
  const [range, volume, { shape }] = [rangeInForce(session), session.volume.value, session.header];
  const value = range && volume ? valuesOf(volume, session.channel.value) : null;
  return (from, to, index) => may(from, to) && (!value || within(value(index), range!)) && (boxes.length === 0 || isIn(boxes, voxelOfIndex(shape, index)));
}

/** An eraser takes whatever lies under it; with a label that shares voxels with another, that label only, so that the other one stays. */
export function mayErase(session: CaseSession): MayPaint {
  const [may, { value: active }] = [mayPaint(session), session.label];
  const { labels } = session.project;
  const inner = innerOf(labels, active);
  if (outerOf(labels, active) === 0 && !(overlap(labels) && inner.size)) return may;
  return (from, to, index) => (from === active || inner.has(from)) && may(from, to, index);
}

const isIn = (boxes: readonly Region[], voxel: Triple): boolean =>
  boxes.some(({ start, stop }) => voxel.every((n, axis) => n >= start[axis]! && n < stop[axis]!));

/** From the least to the largest value under the brush around a voxel of a slice. */
export function rangeAround({ header, planes, volume, channel }: CaseSession, plane: number, voxel: Triple): Range | null {
  const { shape, spacing_mm } = header;
  if (!volume.value) return null;
  const value = valuesOf(volume.value, channel.value);
  const at: Pixel = pixelOfVoxel(planes[plane]!, shape, clampVoxel(shape, voxel));
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  sweepBrush(planes[plane]!, shape, spacing_mm, voxel[planes[plane]!.slice_axis]!, at, at, { radiusMm: brushRadiusMm.value, ball: false }, (index) => {
    low = Math.min(low, value(index));
    high = Math.max(high, value(index));
  });
  return low <= high ? { low, high } : null;
}

export interface Histogram extends Range {
  counts: number[];
}

const BINS = 60;
/** Enough to see the shape of the values. */
const SAMPLES = 100_000;
const known = new WeakMap<Volume, Map<ChannelView, Histogram>>();

/** Counts of values between those that all but a thousandth lie within, from every nth voxel. */
export function histogramOf(volume: Volume, view: ChannelView): Histogram {
  const found = known.get(volume)?.get(view);
  if (found) return found;
  const value = valuesOf(volume, view);
  const step = Math.max(1, Math.floor(volume.voxels / SAMPLES));
  const sample = Float64Array.from({ length: Math.ceil(volume.voxels / step) }, (_, n) => value(n * step))
    .filter(Number.isFinite)
    .sort();
  const at = (share: number): number => sample[Math.min(sample.length - 1, Math.floor(share * sample.length))] ?? 0;
  const [low, high] = [at(0.001), Math.max(at(0.999), at(0.001))];
  const counts = new Array<number>(BINS).fill(0);
  for (const one of sample) if (one >= low && one <= high) counts[Math.min(BINS - 1, Math.floor(((one - low) / (high - low || 1)) * BINS))]!++;
  known.set(volume, (known.get(volume) ?? new Map<ChannelView, Histogram>()).set(view, { low, high, counts }));
  return { low, high, counts };
}
