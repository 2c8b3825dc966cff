/** Look-up tables from voxel values to RGBA pixels (little-endian ABGR words, as `ImageData` stores them). */
import type { Voxels } from "../volume/volume";

export interface Window {
  low: number;
  high: number;
  /** "exact" when not said: a straight line; DICOM's LINEAR is white from `high` − 1 on, SIGMOID an S (PS3.3 C.11.2.1.2, C.11.2.1.3). */
  curve?: Curve;
  /** Low values bright. */
  inverted?: boolean;
}

export type Curve = "exact" | "linear" | "sigmoid";

export type Table = Uint32Array;

const OPAQUE = 0xff000000;

export const grey = (level: number): number => (OPAQUE | (level << 16) | (level << 8) | level) >>> 0;

/** How bright a value is drawn, 0..255. */
export function brightness(value: number, window: Window): number {
  const level = Math.round(Math.min(1, Math.max(0, shareOf(value, window))) * 255);
  return window.inverted ? 255 - level : level;
}

/** 0 is black, 1 white; a window without width is a step. */
function shareOf(value: number, { low, high, curve }: Window): number {
  if (curve === "sigmoid" && high > low) return 1 / (1 + Math.exp((-4 * (value - (low + high) / 2)) / (high - low)));
  const ramp = curve === "linear" ? high - low - 1 : high - low;
  return ramp > 0 ? (value - low) / ramp : value > low ? 1 : 0;
}

let latest: { key: string; table: Table } | null = null;

/**
 * A table over every value of an 8- or 16-bit type, indexed by the value's low bits; null for wider types. The latest one is kept: every
 * plane and slice is drawn by it until the window changes.
 */
export function greyTable(values: Voxels, window: Window): Table | null {
  const signed = values instanceof Int8Array || values instanceof Int16Array;
  const size = values.BYTES_PER_ELEMENT === 1 ? 256 : values.BYTES_PER_ELEMENT === 2 ? 65536 : 0;
  if (size === 0) return null;
  const key = [signed, size, window.low, window.high, window.curve, window.inverted].join();
  if (latest?.key !== key) latest = { key, table: greyLevels(size, signed, window) };
  return latest.table;
}

function greyLevels(size: number, signed: boolean, window: Window): Table {
  const table = new Uint32Array(size);
  for (let bits = 0; bits < size; bits++) {
    const value = signed && bits >= size / 2 ? bits - size : bits;
    table[bits] = grey(brightness(value, window));
  }
  return table;
}

export interface LabelColour {
  value: number;
  colour: string;
}

/** Colours of label values; the background and unknown values stay clear. */
export function labelTable(labels: readonly LabelColour[], opacity: number): Table {
  const table = new Uint32Array(256);
  for (const { value, colour } of labels) table[value] = withAlpha(colour, opacity);
  return table;
}

export function withAlpha(colour: string, opacity: number): number {
  const rgb = Number.parseInt(colour.slice(1), 16);
  const alpha = Math.round(opacity * 255);
  return ((alpha << 24) | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

/** From sure to unsure: stops of a ramp that stays legible on grey and apart from the label colours. */
const HEAT: readonly [at: number, r: number, g: number, b: number][] = [
  [0, 59, 15, 112],
  [0.35, 170, 40, 140],
  [0.6, 240, 80, 120],
  [0.8, 254, 150, 105],
  [1, 252, 253, 191],
];
/** Below this share of the scale nothing is drawn, so that the sure part of an image stays bare. */
const CLEAR_BELOW = 0.06;

export function heatTable(opacity: number): Table {
  const table = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const share = level / 255;
    const visible = share < CLEAR_BELOW ? 0 : Math.sqrt(share);
    const [r, g, b] = heatColour(share);
    table[level] = ((Math.round(opacity * visible * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return table;
}

export function heatColour(share: number): [number, number, number] {
  const next = Math.max(
    1,
    HEAT.findIndex(([at]) => at >= share),
  );
  const [a, ...from] = HEAT[next - 1]!;
  const [b, ...to] = HEAT[next]!;
  const t = (share - a) / (b - a);
  return from.map((value, n) => Math.round(value + (to[n]! - value) * t)) as [number, number, number];
}

/** Green and magenta: told apart by all eyes, on bright and dark tissue. */
const FOR: readonly [number, number, number] = [40, 200, 90];
const AGAINST: readonly [number, number, number] = [235, 60, 200];

/** Colours of signed evidence, by the low bits of an int8: green speaks for the label, magenta against it, none stays clear. */
export function evidenceTable(opacity: number): Table {
  const table = new Uint32Array(256);
  for (let bits = 0; bits < 256; bits++) {
    const share = Math.max(-1, (bits < 128 ? bits : bits - 256) / 127);
    const [r, g, b] = evidenceColour(share);
    const visible = Math.abs(share) < CLEAR_BELOW ? 0 : Math.sqrt(Math.abs(share));
    table[bits] = ((Math.round(opacity * visible * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return table;
}

export const evidenceColour = (share: number): readonly [number, number, number] => (share < 0 ? AGAINST : FOR);
