/** Operations on the case on the screen: previewed, accepted as one step, put away; locks, ranges and queried parts hold. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { flatIndex, voxelCount, voxelOfIndex } from "../src/geometry/plane";
import { ballBrush, brushRadiusMm, keepOthers, maskShown, negative, type Tool, tool } from "../src/state/display";
import "../src/operations/perform"; // what is loaded when it is needed is there at once
import { notices } from "../src/state/notices";
import { accept, chooseVariant, finest, flood, measureFor, operate, throughSlices, variantsOf } from "../src/state/operations";
import { histogramOf } from "../src/state/painting";
import type { CaseSession } from "../src/state/session";
import { submitSession } from "../src/state/submitting";
import { pressKey, releaseKey } from "../src/tools/keys";
import { beginDrag } from "../src/tools/pointer";
import { headerOf, paneOf, projectOf, sessionOf } from "./room";
import { planeOf } from "./scene";
import { turn } from "./wire";

const SHAPE: Triple = [9, 9, 5];
const at = (i: number, j: number, k = 2): number => flatIndex(SHAPE, [i, j, k]);

/** Label 1: a cube and a lone voxel; label 2 beside the cube; the image counts up along I, 0, 10, 20 … */
function scene(more = {}, mask = drawn()): CaseSession {
  const session = sessionOf(mask, headerOf(SHAPE, { unit: "HU", planes: [planeOf(2, 0, 1, false, false), planeOf(1, 0, 2, false, false)] }), projectOf(), more);
  session.volume.value!.values.forEach((_, index) => (session.volume.value!.values[index] = 10 * voxelOfIndex(SHAPE, index)[0]));
  session.lookAt([4, 4, 2]);
  return session;
}

function drawn(): Uint8Array {
  const mask = new Uint8Array(voxelCount(SHAPE));
  for (let k = 1; k < 4; k++) for (let j = 2; j < 5; j++) for (let i = 2; i < 5; i++) mask[at(i, j, k)] = 1;
  mask[at(7, 7, 2)] = 1;
  mask[at(5, 3, 2)] = 2;
  return mask;
}

const press = (session: CaseSession, key: string, more: Partial<KeyboardEvent> = {}): boolean =>
  pressKey(event(key, more), { session, openDialog: () => undefined, leave: () => undefined });
const event = (key: string, more: Partial<KeyboardEvent> = {}): KeyboardEvent =>
  ({
    key,
    code: /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key,
    repeat: false,
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    ...more,
  }) as KeyboardEvent;
const SHIFT = { shiftKey: true };
const maskOf = (session: CaseSession): Uint8Array => session.draft.value!.mask;
const changed = (session: CaseSession): number[] => [...maskOf(session).keys()].filter((index) => maskOf(session)[index] !== drawn()[index]);
const message = (session: CaseSession): string => session.advice.message.value;

function drag(session: CaseSession, hand: Tool, points: [number, number][], more = {}): void {
  tool.value = hand;
  const pressed = { button: 0, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more } as PointerEvent;
  const [x, y] = points[0]!;
  const contact = { ...paneOf(session), place: () => ({ originX: -10, originY: -10, sizeX: 20, sizeY: 20, perMm: 20 }) };
  const act = beginDrag(contact, { x: 20 * x, y: 20 * y }, pressed);
  for (const [a, b] of points.slice(1)) act?.move({ x: 20 * a, y: 20 * b }, pressed);
  act?.end();
}

async function previewed(session: CaseSession, key: string): Promise<void> {
  press(session, key, SHIFT);
  await turn();
}

beforeEach(() => {
  notices.value = [];
  keepOthers.value = negative.value = ballBrush.value = false;
  throughSlices.value = true;
  brushRadiusMm.value = 1;
  tool.value = "brush";
  for (const kind of ["clear", "copy", "smooth", "islands", "margin"] as const) chooseVariant(kind, "");
});

const KEYS = { clear: "Delete", copy: "Y", carry: "X", smooth: "S", islands: "O", margin: "G" } as const;

describe("an operation", () => {
  test.each(Object.entries(KEYS))("%s changes nothing before it is accepted, and is undone exactly in one step", async (name, key) => {
    const session = scene({}, name === "carry" ? drawn().map((value, index) => (voxelOfIndex(SHAPE, index)[2] === 2 ? value : 0)) : drawn());
    const before = maskOf(session).slice();
    if (name === "copy") session.lookAt([4, 4, 0]);
    await previewed(session, key);
    expect(maskOf(session)).toEqual(before);
    expect(session.editing.preview.value?.edit.forward.length).toBeGreaterThan(0);
    expect(message(session)).toMatch(/voxels? changes?; Enter accepts, Esc cancels|stays; Enter accepts, Esc cancels/);
    press(session, "Enter");
    expect(maskOf(session)).not.toEqual(before);
    expect([session.editing.pending, session.busy.value]).toEqual([false, ""]);
    session.draft.value!.undo();
    expect([maskOf(session), session.draft.value!.canUndo.value]).toEqual([before, false]);
    session.draft.value!.redo();
    expect(maskOf(session)).not.toEqual(before);
  });

  test.each(Object.entries(KEYS))("%s is put away with Esc and leaves nothing behind", async (_, key) => {
    const session = scene();
    await previewed(session, key);
    press(session, "Escape");
    await turn();
    expect([session.editing.open.value, session.editing.preview.value, message(session)]).toEqual([null, null, ""]);
    expect([changed(session), session.draft.value!.canUndo.value]).toEqual([[], false]);
  });

  test("keeps only the largest island, the largest in the slice, or the one at the crosshair", async () => {
    const session = scene();
    await previewed(session, "O");
    press(session, "Enter");
    expect(changed(session)).toEqual([at(7, 7)]);
    session.draft.value!.undo();
    chooseVariant("islands", "here");
    session.lookAt([7, 7, 2]);
    operate(session, "islands");
    await turn();
    accept(session);
    expect(maskOf(session).reduce((sum, value) => sum + (value === 1 ? 1 : 0), 0)).toBe(1);
  });

  test("leaves locked and kept labels, and what is not queried, as they are", async () => {
    for (const hold of ["lock", "keep", "parts"] as const) {
      const session = scene(hold === "parts" ? { parts: [{ start: [0, 0, 0], stop: [5, 9, 5] }] } : {});
      if (hold === "lock") session.segments.locked.value = new Set([2]);
      keepOthers.value = hold === "keep";
      await previewed(session, "G");
      press(session, "Enter");
      expect([hold, maskOf(session)[at(5, 3)], maskOf(session)[at(1, 3)]]).toEqual([hold, 2, 1]);
      expect([hold, maskOf(session)[at(5, 4)]]).toEqual([hold, hold === "parts" ? 0 : 1]);
      session.segments.locked.value = new Set();
    }
  });

  test("of a locked label changes nothing, and says so", async () => {
    const session = scene();
    session.segments.locked.value = new Set([1]);
    await previewed(session, "G");
    expect(session.editing.preview.value?.text).toBe("No change: what it would change may not change here");
    press(session, "Enter");
    expect([changed(session), session.draft.value!.canUndo.value]).toEqual([[], false]);
    session.segments.locked.value = new Set();
  });

  test("follows the slice, the label, its number and an undo while its preview is open", async () => {
    const session = scene();
    throughSlices.value = false;
    await previewed(session, "G");
    const first = session.editing.preview.value!.edit.forward;
    expect(first.every(([start]) => voxelOfIndex(SHAPE, start)[2] === 2)).toBe(true);
    session.lookAt([4, 4, 1]);
    await turn();
    expect(session.editing.preview.value!.edit.forward.every(([start]) => voxelOfIndex(SHAPE, start)[2] === 1)).toBe(true);
    measureFor({ kind: "margin" }, session)!.set(0.2);
    await turn();
    expect(session.editing.preview.value!.text).toBe("No change: the mask is so already");
    measureFor({ kind: "margin" }, session)!.set(2);
    session.label.value = 3;
    await turn();
    expect(session.editing.preview.value!.text).toBe("No change: the mask is so already");
  });

  test("takes its next variant by the same key, its number by brackets, one slice by D", async () => {
    const session = scene();
    await previewed(session, "G");
    press(session, "g", SHIFT);
    await turn();
    expect(session.editing.preview.value!.text).toMatch(/^−.* one/);
    const size = measureFor({ kind: "margin" }, session)!.value;
    press(session, "]");
    expect(measureFor({ kind: "margin" }, session)!.value).toBeGreaterThan(size);
    press(session, "d");
    expect([throughSlices.value, ballBrush.value]).toEqual([false, false]);
  });

  test("that waits holds a submission back, and another tool puts it away", async () => {
    const session = scene();
    await previewed(session, "S");
    session.sight.painted(-1e6);
    await submitSession(session);
    expect(notices.value.at(-1)?.message).toBe("An operation is not accepted yet, so nothing was submitted");
    press(session, "b");
    expect([session.editing.pending, tool.value]).toEqual([false, "brush"]);
  });

  test("on a picture has no slices to speak of", () => {
    const flat = sessionOf(new Uint8Array(81), headerOf([9, 9, 1]));
    expect(variantsOf("clear", flat).map(([id]) => id)).toEqual(["label", "all"]);
    operate(flat, "copy");
    expect([flat.editing.open.value, notices.value.at(-1)?.message]).toEqual([null, "Copy a slice: a picture has one slice only"]);
  });
});

describe("outlines", () => {
  const SQUARE: [number, number][] = [
    [0.5, 5.5],
    [3.5, 5.5],
    [3.5, 7.5],
    [0.5, 7.5],
  ];
  const wanted = [6, 7].flatMap((j) => [1, 2, 3].map((i) => at(i, j)));

  test("are set point by point, lose the last one with Backspace, and close with Enter; Enter again accepts", () => {
    const session = scene();
    for (const point of [...SQUARE, [8, 0] as [number, number]]) drag(session, "polygon", [point]);
    press(session, "Backspace");
    press(session, "Enter");
    expect([changed(session), session.editing.preview.value?.text]).toEqual([[], "+0.006 ml one; 6 voxels change"]);
    press(session, "Enter");
    expect(changed(session)).toEqual(wanted);
    session.draft.value!.undo();
    expect(changed(session)).toEqual([]);
  });

  test("close on their first point, and a click accepts", () => {
    const session = scene();
    for (const point of [...SQUARE, SQUARE[0]!, [8, 8] as [number, number]]) drag(session, "polygon", [point]);
    expect(changed(session)).toEqual(wanted);
  });

  test("drawn freely are a preview on release; a second one begun with Ctrl cuts a hole, a click accepts both", () => {
    const session = scene();
    drag(session, "freehand", [...SQUARE, [0.5, 5.6]]);
    const inner: [number, number][] = [
      [1.5, 5.6],
      [2.5, 5.6],
      [2.5, 6.5],
      [1.5, 6.5],
    ];
    drag(session, "freehand", inner, { ctrlKey: true });
    drag(session, "freehand", [[8, 8]]);
    expect(changed(session)).toEqual(wanted.filter((index) => index !== at(2, 6)));
  });

  test("take the label away with T or Ctrl, and only where it stands", () => {
    negative.value = true;
    const session = scene();
    drag(session, "freehand", [
      [-1, -1],
      [9, -1],
      [9, 3.5],
      [-1, 3.5],
    ]);
    keepOthers.value = true;
    press(session, "Enter");
    expect(changed(session)).toEqual([2, 3].flatMap((j) => [2, 3, 4].map((i) => at(i, j))));
  });

  test("that enclose nothing say so", () => {
    const session = scene();
    drag(session, "polygon", [[1, 1]]);
    press(session, "Enter");
    expect(notices.value.at(-1)?.message).toBe("An outline needs three points or more");
    press(session, "Escape");
    expect(session.editing.pending).toBe(false);
  });
});

describe("a range of values", () => {
  const hold = (session: CaseSession, low: number, high: number): void => {
    session.segments.range.value = { low, high };
    session.segments.rangeUsed.value = true;
  };

  test("holds for brush, eraser, fill and outlines, both ends included", () => {
    for (const [hand, points, count] of [
      [
        "brush",
        [
          [0, 7],
          [8, 7],
        ],
        3,
      ],
      [
        "eraser",
        [
          [0, 3],
          [8, 3],
        ],
        3,
      ],
      [
        "freehand",
        [
          [-1, 5.5],
          [9, 5.5],
          [9, 6.5],
          [-1, 6.5],
        ],
        3,
      ],
    ] as [Tool, [number, number][], number][]) {
      const session = scene();
      brushRadiusMm.value = 0.4;
      hold(session, 30, 50);
      drag(session, hand, points);
      press(session, hand === "freehand" ? "Enter" : "h");
      expect([hand, changed(session).map((index) => voxelOfIndex(SHAPE, index)[0])]).toEqual([hand, Array.from({ length: count }, (_, n) => 3 + n)]);
      session.segments.rangeUsed.value = false;
    }
  });

  test("is said to hold a stroke back that it lets change nothing", () => {
    const session = scene();
    hold(session, 500, 600);
    drag(session, "brush", [[1, 7]]);
    expect([changed(session), notices.value.at(-1)?.message]).toEqual([[], "No change: no value here lies in the range"]);
  });

  test("comes from the values under the brush, and a flood without one takes it there", async () => {
    const session = scene();
    flood(session, 0, [7, 2, 2]);
    await turn();
    expect(session.segments.range.value).toEqual({ low: 60, high: 80 });
    press(session, "Enter");
    expect(changed(session)).toEqual(
      [...maskOf(session).keys()].filter((index) => voxelOfIndex(SHAPE, index)[2] === 2 && voxelOfIndex(SHAPE, index)[0] >= 6 && index !== at(7, 7)),
    );
    session.segments.rangeUsed.value = false;
  });

  test("that leaves the seed out is said", async () => {
    const session = scene();
    hold(session, 0, 10);
    flood(session, 0, [7, 2, 2]);
    expect(session.editing.preview.value?.text).toBe("No change: the value at the seed, 70 HU, is outside the range");
    session.segments.rangeUsed.value = false;
  });

  test("is drawn over the counts of the values", () => {
    const { low, high, counts } = histogramOf(scene().volume.value!, 0);
    expect([low, high, counts.reduce((a, b) => a + b), counts.filter(Boolean).length]).toEqual([0, 80, voxelCount(SHAPE), 9]);
  });
});

describe("the mask", () => {
  test("is hidden by a press, and by a key that is held for as long as it is held", () => {
    const session = scene();
    maskShown.value = true;
    press(session, "h");
    releaseKey({ ...event("h"), timeStamp: performance.now() }, session);
    expect(maskShown.value).toBe(false);
    press(session, "h");
    releaseKey({ ...event("h"), timeStamp: performance.now() }, session);
    expect(maskShown.value).toBe(true);
    press(session, "h");
    expect(maskShown.value).toBe(false);
    releaseKey({ ...event("h"), timeStamp: performance.now() + 1000 }, session);
    expect(maskShown.value).toBe(true);
  });
});

test("Ctrl and arrows move the crosshair as the plane is drawn", () => {
  const session = scene();
  for (const key of ["ArrowLeft", "ArrowDown", "ArrowDown"]) press(session, key, { ctrlKey: true });
  expect(session.crosshair.value).toEqual([3, 6, 2]);
});

test("a first number of millimetres is a number also in an image of one voxel", () => {
  expect([finest(headerOf([1, 1, 1], { spacing_mm: [0.5, 2, 3] })), finest(headerOf([1, 4, 2], { spacing_mm: [0.5, 2, 3] }))]).toEqual([0.5, 2]);
});
