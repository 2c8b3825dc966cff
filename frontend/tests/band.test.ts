import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { sliceOf } from "../src/geometry/plane";
import { BAND_MM, islandLevel, uncertainBand } from "../src/volume/band";
import { planeOf } from "./scene";

const SHAPE: Triple = [60, 60, 1];
const PLANE = planeOf(2, 0, 1, false, false);
const SLICE = sliceOf(PLANE, SHAPE, 0);
const radius = (n: number): number => Math.hypot((n % 60) - 30, Math.floor(n / 60) - 30);
const DISC = Uint8Array.from({ length: 3600 }, (_, n) => (radius(n) <= 15 ? 1 : 0));
const shownOf = (map: Uint8Array, mask: Uint8Array | null = DISC): Uint8Array => uncertainBand(map, mask, SLICE, PLANE, islandLevel(map));

describe("the uncertain band", () => {
  test("of an early model that is unsure everywhere is a ring along the border, not the image", () => {
    const shown = shownOf(new Uint8Array(3600).fill(200));
    shown.forEach((is, n) => is && expect(Math.abs(radius(n) - 15.5)).toBeLessThan(BAND_MM * 1.5 + 1));
    expect([shown[30 * 60 + 45], shown[30 * 60 + 30], shown[0]]).toEqual([1, 0, 0]);
  });

  test("is empty where the model is sure", () => {
    expect(shownOf(new Uint8Array(3600).fill(40)).some(Boolean)).toBe(false);
  });

  test("does not hide a small uncertain place far from any border", () => {
    const map = new Uint8Array(3600).fill(30);
    map[62] = map[63] = 180;
    const shown = shownOf(map);
    expect([shown[62], shown[63], shown[64]]).toEqual([1, 1, 0]);
    expect(shownOf(map, null)[62]).toBe(1);
  });

  test("away from borders is never more than a hundredth of the image", () => {
    const map = Uint8Array.from({ length: 3600 }, (_, n) => 130 + ((n * 37) % 120));
    expect(shownOf(map, new Uint8Array(3600)).filter(Boolean).length).toBeLessThanOrEqual(36);
  });

  test.each([planeOf(2, 1, 0, true, false), planeOf(2, 0, 1, false, true, [1, 2, 1])])("follows the drawn plane", (plane) => {
    const slice = sliceOf(plane, SHAPE, 0);
    const shown = uncertainBand(new Uint8Array(3600).fill(200), DISC, slice, plane, 256);
    const at = (x: number, y: number): number => slice.start + x * slice.right + y * slice.down;
    for (let y = 0; y < 60; y++) for (let x = 0; x < 60; x++) if (shown[y * 60 + x]) expect(Math.abs(radius(at(x, y)) - 15.5)).toBeLessThan(9);
    expect(shown.some(Boolean)).toBe(true);
  });
});
