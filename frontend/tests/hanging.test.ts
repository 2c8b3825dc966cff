import { beforeEach, describe, expect, test } from "vitest";
import type { CaseHeader, Triple } from "../src/api/types";
import { FITTED } from "../src/geometry/viewport";
import { lineOf, placeText, readoutAt, valueText } from "../src/state/readout";
import type { CaseSession } from "../src/state/session";
import { pressKey } from "../src/tools/keys";
import { volumeOf } from "../src/volume/volume";
import { headerOf, sessionOf } from "./room";
import { planeOf } from "./scene";

const SHAPE: Triple = [4, 5, 6];
const PLANES = [
  planeOf(2, 0, 1, true, true),
  { ...planeOf(1, 0, 2, true, true), name: "coronal" as const },
  { ...planeOf(0, 1, 2, true, true), name: "sagittal" as const },
];
const threePlanes = (more: Partial<CaseHeader> = {}): CaseSession => sessionOf(null, headerOf(SHAPE, { planes: PLANES, ...more }));

function press(session: CaseSession, key: string, shiftKey = false): boolean {
  const event = { key, code: "", repeat: false, shiftKey, ctrlKey: false, metaKey: false, altKey: false } as KeyboardEvent;
  return pressKey(event, { session, openDialog: () => undefined, leave: () => undefined });
}

beforeEach(() => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  (globalThis as { localStorage?: unknown }).localStorage = storage;
});

describe("planes", () => {
  test("hang as they did last time in the project, with the plane chosen for the large pane", () => {
    const session = threePlanes();
    expect([session.hanging.name.value, session.main, session.hanging.alone.value]).toEqual(["1 + 2", 0, null]);
    press(session, "m", true);
    press(session, "p", true);
    expect([session.hanging.name.value, session.main]).toEqual(["2 × 2", 1]);
    const next = threePlanes();
    expect([next.hanging.name.value, next.main]).toEqual(["2 × 2", 1]);
    next.hanging.hang("1");
    expect([next.hanging.alone.value, threePlanes().hanging.alone.value]).toEqual([1, 1]);
  });

  test("are maximised for a while, which is not remembered", () => {
    const session = threePlanes();
    session.active.value = 2;
    press(session, "m");
    expect([session.hanging.alone.value, threePlanes().hanging.alone.value]).toEqual([2, null]);
    press(session, "Escape");
    expect(session.hanging.alone.value).toBe(null);
  });

  test("of a picture do not hang at all", () => {
    const session = sessionOf(null, headerOf([4, 5, 1]));
    expect([press(session, "m"), press(session, "m", true), press(session, "p", true)]).toEqual([false, false, false]);
  });
});

describe("keys", () => {
  test("Home and End go to the ends of the slices, as the arrows do", () => {
    const session = threePlanes();
    press(session, "End");
    const last = session.sliceNumber(0);
    press(session, "ArrowDown");
    expect(session.sliceNumber(0)).toBe(last);
    press(session, "Home");
    expect([last, session.sliceNumber(0)].sort()).toEqual([0, 5]);
  });

  test("R fits the image again and keeps the window, Shift + R takes the image's own window and keeps the view", () => {
    const session = threePlanes();
    session.window.value = { low: 3, high: 4 };
    session.views[0]!.value = { zoom: 2, panX: 1, panY: 1 };
    press(session, "r");
    expect([session.window.value.low, session.views[0]!.value]).toEqual([3, FITTED]);
    session.views[0]!.value = { zoom: 2, panX: 1, panY: 1 };
    press(session, "r", true);
    expect([session.window.value.low, session.views[0]!.value.zoom]).toEqual([0, 2]);
  });
});

describe("what stands at a voxel", () => {
  const affine = [
    [-2, 0, 0, 10],
    [0, 0, 3, -40],
    [0, 1, 0, 0.5],
    [0, 0, 0, 1],
  ];

  test("is its place in the patient, by the file's affine", () => {
    expect(placeText({ affine, oriented: true, sized: true }, [4, 2, 10])).toBe("R 2.0  P 10.0  S 2.5 mm");
    expect(placeText({ affine, oriented: true, sized: true }, [6, 2, 14])).toBe("L 2.0  A 2.0  S 2.5 mm");
  });

  test("has no place where directions or sizes are not known", () => {
    expect(placeText({ affine, oriented: false, sized: true }, [4, 2, 10])).toBe("");
    expect(placeText({ affine, oriented: true, sized: false }, [4, 2, 10])).toBe("");
  });

  test("is its value in the unit that the file names, and none where it names none", () => {
    const header = headerOf([2, 1, 1], { dtype: "int16" });
    const volume = volumeOf(header, Int16Array.of(-1024, 40).buffer);
    expect([valueText(volume, 0, [0, 0, 0], "HU"), valueText(volume, 0, [1, 0, 0], "")]).toEqual(["-1024 HU", "40"]);
    volume.received = 1;
    expect([valueText(volume, 0, [0, 0, 0], "HU"), valueText(volume, 0, [1, 0, 0], "HU"), valueText(null, 0, [0, 0, 0], "HU")]).toEqual([
      "-1024 HU",
      "not loaded",
      "not loaded",
    ]);
  });

  test("is one line with the label", () => {
    const mask = new Uint8Array(8);
    mask[1] = 2;
    const session = sessionOf(mask, headerOf([2, 2, 2], { unit: "HU" }));
    expect(lineOf(readoutAt(session, [1, 0, 0]))).toBe("(1, 0, 0)   0 HU   R 1.0  A 0.0  S 0.0 mm   two");
    expect(lineOf(readoutAt(sessionOf(new Uint8Array(4), headerOf([2, 2, 1], { sized: false })), [1, 0, 0]))).toBe("(1, 0)   0");
  });
});
