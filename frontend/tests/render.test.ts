import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { sliceOf } from "../src/geometry/plane";
import { niceLength, topOfLetter } from "../src/render/head";
import { brightness, greyTable, heatTable, labelTable, withAlpha } from "../src/render/lut";
import { outlineOf } from "../src/render/outline";
import { reduceSlice, reductionOf } from "../src/render/reduce";
import { drawImage, drawTable } from "../src/render/slice";
import { linearScale, niceTicks } from "../src/views/scale";
import { uncertainPlaces } from "../src/volume/places";
import { planeOf } from "./scene";

const SHAPE: Triple = [2, 2, 1];
const FLAT = planeOf(2, 0, 1, false, false);
const volumeOf = (values: Uint8Array | Int16Array | Float32Array, channels = 1) => ({
  shape: SHAPE,
  channels,
  values,
  voxels: 4,
  received: values.length,
});
const bytesOf = (pixels: Uint32Array): number[][] => Array.from(pixels, (word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24]);

test("the upper letter of a narrow plane stands below its title, not on it", () => {
  expect(topOfLetter(96, 640)).toBe(10);
  expect(topOfLetter(96, 190)).toBeGreaterThanOrEqual(26);
});

describe("a window", () => {
  test("maps its ends to black and white and clips beyond", () => {
    expect([-50, 0, 50, 100, 900].map((value) => brightness(value, { low: 0, high: 100 }))).toEqual([0, 0, 128, 255, 255]);
  });

  test("draws signed 16-bit values by table as it draws them one by one", () => {
    const window = { low: -1000, high: 400 };
    const table = greyTable(new Int16Array(1), window)!;
    for (const value of [-32768, -1000, -300, -1, 0, 399, 32767]) expect(table[value & 0xffff]! & 255).toBe(brightness(value, window));
  });

  test("draws the same picture from 16-bit and from float voxels", () => {
    const window = { low: -10, high: 90 };
    const [a, b] = [new Uint32Array(4), new Uint32Array(4)];
    const slice = sliceOf(FLAT, SHAPE, 0);
    drawImage(a, volumeOf(Int16Array.from([-20, 0, 40, 95])), slice, window, 0);
    drawImage(b, volumeOf(Float32Array.from([-20, 0, 40, 95])), slice, window, 0);
    expect(a).toEqual(b);
  });

  test("of zero width does not divide by zero", () => {
    expect(brightness(1, { low: 1, high: 1 })).toBe(0);
    expect(brightness(2, { low: 1, high: 1 })).toBe(255);
  });
});

test("three channels become red, green and blue", () => {
  const pixels = new Uint32Array(4);
  drawImage(pixels, volumeOf(Uint8Array.from([255, 0, 0, 9, 0, 255, 0, 9, 0, 0, 255, 9]), 3), sliceOf(FLAT, SHAPE, 0), { low: 0, high: 255 }, "rgb");
  expect(bytesOf(pixels).slice(0, 3)).toEqual([
    [255, 0, 0, 255],
    [0, 255, 0, 255],
    [0, 0, 255, 255],
  ]);
});

test("a flipped plane draws the mirrored picture", () => {
  const pixels = new Uint32Array(4);
  const slice = sliceOf(planeOf(2, 0, 1, true, true), SHAPE, 0);
  drawTable(pixels, Uint8Array.from([1, 2, 3, 4]), slice, Uint32Array.from([0, 1, 2, 3, 4]));
  expect([...pixels]).toEqual([4, 3, 2, 1]);
});

test("only the changed part of a slice is written", () => {
  const pixels = new Uint32Array(4).fill(9);
  drawTable(pixels, Uint8Array.from([1, 1, 1, 1]), sliceOf(FLAT, SHAPE, 0), Uint32Array.from([0, 7]), 255, { left: 1, top: 0, right: 2, bottom: 2 });
  expect([...pixels]).toEqual([9, 7, 9, 7]);
});

test("a reduced slice holds the mean of each block, as drawn", () => {
  const shape: Triple = [4, 2, 1];
  const volume = { shape, channels: 1, values: Uint8Array.from([1, 3, 10, 10, 5, 7, 20, 20]), voxels: 8, received: 8 };
  const plain = reduceSlice(volume, sliceOf(FLAT, shape, 0), 2);
  const mirrored = reduceSlice(volume, sliceOf(planeOf(2, 0, 1, true, false), shape, 0), 2);
  expect([...plain.volume.values]).toEqual([4, 15]);
  expect([...mirrored.volume.values]).toEqual([15, 4]);
});

test("a slice is only reduced when it is large and the screen could not show it", () => {
  const [large, small] = [
    { width: 3000, height: 2500 },
    { width: 512, height: 512 },
  ].map((size) => ({ start: 0, right: 1, down: 1, ...size }));
  expect([reductionOf(large!, 0.35), reductionOf(large!, 0.9), reductionOf(small!, 0.1)]).toEqual([2, 1, 1]);
});

test("labels are drawn in their colour and opacity, the background clear", () => {
  const table = labelTable([{ value: 3, colour: "#ff8000" }], 0.5);
  expect(bytesOf(table.subarray(3, 4))).toEqual([[255, 128, 0, 128]]);
  expect(table[0]).toBe(0);
  expect(withAlpha("#010203", 1)).toBe(0xff030201);
});

test("uncertainty is clear where the model is sure and grows with it", () => {
  const alphas = Array.from(heatTable(1), (word) => word >>> 24);
  expect(alphas[0]).toBe(0);
  expect(alphas[255]).toBe(255);
  for (let n = 1; n < 256; n++) expect(alphas[n]).toBeGreaterThanOrEqual(alphas[n - 1]!);
});

test("the outline of two pixels side by side is six edges, joined to four lines", () => {
  const mask = Uint8Array.from([1, 1, 0, 0]);
  const lines = outlineOf(mask, sliceOf(FLAT, SHAPE, 0), 1);
  expect(lines).toHaveLength(16);
  expect(lines.slice(0, 8)).toEqual([0, 0, 2, 0, 0, 1, 2, 1]);
});

test("scale bars and axes use round numbers", () => {
  expect([0.7, 1, 4.9, 12, 260].map(niceLength)).toEqual([0.5, 1, 2, 10, 200]);
  expect(niceTicks(0, 12, 6)).toEqual([0, 2, 4, 6, 8, 10, 12]);
  expect(linearScale(0, 10, 100, 200, 5)(5)).toBe(150);
});

test("uncertain places are visited most uncertain first, one per neighbourhood", () => {
  const shape: Triple = [40, 40, 1];
  const map = new Uint8Array(1600);
  for (const [i, j, value] of [
    [5, 5, 180],
    [35, 35, 250],
  ] as const) {
    for (let d = 0; d < 4; d++) for (let e = 0; e < 4; e++) map[i + d + 40 * (j + e)] = value;
  }
  const places = uncertainPlaces(map, shape, [1, 1, 1]);
  expect(places).toEqual([
    [35, 35, 0],
    [5, 5, 0],
  ]);
  expect(uncertainPlaces(new Uint8Array(1600), shape, [1, 1, 1])).toEqual([]);
});
