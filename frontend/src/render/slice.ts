/** Copies one slice of a volume, mask or map into pixels, walking the file order with signed strides. */
import type { Slice } from "../geometry/plane";
import { channelOf, receivedOf, type Volume } from "../volume/volume";
import { brightness, grey, greyTable, type Table, type Window } from "./lut";

export interface Rect {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** "rgb" shows three channels as colours; a number shows that channel in grey. */
export type ChannelView = "rgb" | number;

export function drawImage(pixels: Uint32Array, volume: Volume, slice: Slice, window: Window, view: ChannelView): void {
  drawValues(pixels, volume, slice, window, view);
  if (!isWhole(volume, slice, view)) coverMissing(pixels, receivedOf(volume, view), slice);
}

/** Whether all of a slice has been received. */
export function isWhole(volume: Volume, slice: Slice, view: ChannelView): boolean {
  const last = slice.start + Math.max(0, slice.right) * (slice.width - 1) + Math.max(0, slice.down) * (slice.height - 1);
  return last < receivedOf(volume, view);
}

/** Dark, with thin diagonal lines that no image has: a voxel that is not there must not look like one that is. */
const MISSING = 0xff100c0a;
const MISSING_LINE = 0xff241c18;

function coverMissing(pixels: Uint32Array, received: number, slice: Slice): void {
  for (let y = 0, at = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, at++, index += slice.right) {
      if (index >= received) pixels[at] = (x + y) % 8 === 0 ? MISSING_LINE : MISSING;
    }
  }
}

function drawValues(pixels: Uint32Array, volume: Volume, slice: Slice, window: Window, view: ChannelView): void {
  if (view === "rgb") return drawColour(pixels, volume, slice, window);
  const values = channelOf(volume, view);
  const table = greyTable(values, window);
  if (table) return drawTable(pixels, values as Uint8Array, slice, table, table.length - 1);
  let at = 0;
  for (let y = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, index += slice.right) pixels[at++] = grey(brightness(values[index]!, window));
  }
}

/** Pixels of a mask or map by table; `bits` selects the low bits of a value as its place in the table. */
export function drawTable(pixels: Uint32Array, values: Uint8Array, slice: Slice, table: Table, bits = 255, part?: Rect): void {
  const { left, top, right, bottom } = part ?? { left: 0, top: 0, right: slice.width, bottom: slice.height };
  for (let y = top; y < bottom; y++) {
    let index = slice.start + y * slice.down + left * slice.right;
    let at = y * slice.width + left;
    for (let x = left; x < right; x++, index += slice.right) pixels[at++] = table[values[index]! & bits]!;
  }
}

function drawColour(pixels: Uint32Array, volume: Volume, slice: Slice, window: Window): void {
  const [red, green, blue] = [channelOf(volume, 0), channelOf(volume, 1), channelOf(volume, 2)];
  let at = 0;
  for (let y = 0; y < slice.height; y++) {
    let index = slice.start + y * slice.down;
    for (let x = 0; x < slice.width; x++, index += slice.right) {
      const [r, g, b] = [brightness(red[index]!, window), brightness(green[index]!, window), brightness(blue[index]!, window)];
      pixels[at++] = (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
    }
  }
}
