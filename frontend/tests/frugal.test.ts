/** What makes the page quick on large volumes, as properties of its algorithms: what is not looked at, and what is not done twice. */
import { effect } from "@preact/signals";
import { describe, expect, test } from "vitest";
import type { PlaneHeader, Run, Triple } from "../src/api/types";
import { ghostOf } from "../src/edits/changes";
import { sliceOf } from "../src/geometry/plane";
import { greyTable } from "../src/render/lut";
import { outlineOf } from "../src/render/outline";
import { blockAround, DEEP, liesAcross, sliceIn } from "../src/render/sideways";
import { drawImage } from "../src/render/slice";
import type { Volume } from "../src/volume/volume";
import { headerOf, sessionOf } from "./room";
import { EVERY_PLANE, planeOf } from "./scene";

const AXIAL = planeOf(2, 0, 1, false, true);
const CORONAL = { ...planeOf(1, 0, 2, false, true), name: "coronal" as const };
const SAGITTAL = { ...planeOf(0, 1, 2, true, true), name: "sagittal" as const };

/** An array that counts how often its numbers are read. */
function counted(values: Uint8Array): { values: Uint8Array; reads: () => number } {
  let reads = 0;
  const get = (target: Uint8Array, key: string | symbol): unknown => {
    if (typeof key === "string" && /^\d+$/.test(key)) reads++;
    return Reflect.get(target, key, target);
  };
  return { values: new Proxy(values, { get }), reads: () => reads };
}

function volumeOf(shape: Triple, values: Volume["values"], channels = 1): Volume {
  return { shape, channels, values, voxels: values.length / channels, received: values.length };
}

describe("a slice change", () => {
  test("is heard by the pane in which the slice changed, and by no other", () => {
    const session = sessionOf(null, headerOf([4, 5, 6], { planes: [AXIAL, CORONAL, SAGITTAL] }));
    const heard = [0, 0, 0];
    const stops = heard.map((_, plane) =>
      effect(() => {
        session.sliceNumber(plane);
        heard[plane]!++;
      }),
    );
    session.moveSlice(0, 1);
    session.moveSlice(2, 1);
    session.moveSlice(2, -1);
    expect(heard).toEqual([2, 1, 3]);
    stops.forEach((stop) => stop());
  });

  test("draws by the same table of greys until the window changes", () => {
    const [values, window] = [new Int16Array(4), { low: 0, high: 100 }];
    const table = greyTable(values, window);
    expect(greyTable(new Int16Array(9), { ...window })).toBe(table);
    for (const other of [
      { low: 1, high: 100 },
      { ...window, inverted: true },
      { ...window, curve: "linear" as const },
    ]) {
      expect(greyTable(values, other)).not.toEqual(table);
    }
    expect(greyTable(new Uint16Array(4), { low: -5, high: 100 })).not.toEqual(greyTable(values, { low: -5, high: 100 }));
  });
});

describe("slices across the file", () => {
  const shape: Triple = [2 * DEEP + 3, 4, 5];
  const values = Int16Array.from({ length: 2 * shape[0] * shape[1] * shape[2] }, (_, n) => (n * 37) % 101);
  const across = EVERY_PLANE.filter((plane) => plane.slice_axis === 0);

  test("are copied as they would be drawn, in every orientation and channel", () => {
    const volume = volumeOf(shape, values, 2);
    for (const plane of across) {
      let block: ReturnType<typeof blockAround> | null = null;
      for (let number = 0; number < shape[0]; number++) {
        block = blockAround(block, volume, plane, shape, number);
        const found = sliceIn(block, number);
        for (const channel of [0, 1]) {
          const [wanted, drawn] = [new Uint32Array(20), new Uint32Array(20)];
          drawImage(wanted, volume, sliceOf(plane, shape, number), { low: 0, high: 100 }, channel);
          drawImage(drawn, found.volume, found.slice, { low: 0, high: 100 }, channel);
          expect(drawn).toEqual(wanted);
        }
      }
    }
  });

  test("come from one look at the volume for each group of neighbours", () => {
    const volume = volumeOf(shape, values, 2);
    const first = blockAround(null, volume, SAGITTAL, shape, 1);
    expect(blockAround(first, volume, SAGITTAL, shape, DEEP - 1)).toBe(first);
    expect(blockAround(first, volume, SAGITTAL, shape, DEEP)).not.toBe(first);
    expect(blockAround(first, { ...volume }, SAGITTAL, shape, 1)).not.toBe(first);
  });

  test("are copied of whole cases only, in planes where neighbours lie side by side", () => {
    const volume = volumeOf(shape, values.subarray(0, values.length / 2));
    const slab = volumeOf([4, 5, 1], new Int16Array(20));
    expect(liesAcross(SAGITTAL, volume, shape)).toBe(true);
    const others: [PlaneHeader, Volume][] = [
      [AXIAL, volume],
      [CORONAL, volume],
      [SAGITTAL, { ...volume, received: 3 }],
      [SAGITTAL, slab],
    ];
    expect(others.map(([plane, one]) => liesAcross(plane, one, shape))).toEqual([false, false, false, false]);
  });
});

describe("a preview", () => {
  const shape: Triple = [20, 20, 20];

  test("of a change that lies elsewhere is no look at its voxels", () => {
    const { values, reads } = counted(new Uint8Array(8000));
    const elsewhere: Run[] = Array.from({ length: 10 }, (_, k) => [400 * k, 380, 1]);
    expect(ghostOf(values, elsewhere, sliceOf(AXIAL, shape, 15), AXIAL, shape)).toBe(null);
    expect(ghostOf(values, elsewhere, sliceOf(CORONAL, shape, 19), CORONAL, shape)).toBe(null);
    expect(reads()).toBe(0);
  });

  test("looks at what it changes in the slice, and at the slice once", () => {
    const { values, reads } = counted(new Uint8Array(8000));
    const whole: Run[] = [[0, 8000, 1]];
    for (const plane of [AXIAL, CORONAL, SAGITTAL]) {
      const before = reads();
      expect(ghostOf(values, whole, sliceOf(plane, shape, 7), plane, shape)!.after.every((value) => value === 1)).toBe(true);
      expect(reads() - before).toBeLessThanOrEqual(4 * 400);
    }
  });
});

test("an outline looks at the whole slice once, then at its label's box", () => {
  const shape: Triple = [50, 50, 1];
  const mask = new Uint8Array(2500);
  for (const index of [1010, 1011, 1060]) mask[index] = 1;
  const { values, reads } = counted(mask);
  expect(outlineOf(values, sliceOf(AXIAL, shape, 0), 1)).toHaveLength(24);
  expect(reads()).toBeLessThanOrEqual(2500 + 4 * 9);
  expect(outlineOf(new Uint8Array(2500), sliceOf(AXIAL, shape, 0), 1)).toEqual([]);
});
