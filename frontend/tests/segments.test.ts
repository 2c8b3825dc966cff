import { beforeEach, describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { LabelCounts } from "../src/edits/counts";
import { difference, type Edit, heldBack } from "../src/edits/runs";
import { flatIndex } from "../src/geometry/plane";
import { brushRadiusMm, negative, tool } from "../src/state/display";
import { pickLabel, recolour } from "../src/state/labelling";
import { notices } from "../src/state/notices";
import { sizeText } from "../src/state/segments";
import type { CaseSession } from "../src/state/session";
import { pressKey } from "../src/tools/keys";
import { beginDrag } from "../src/tools/pointer";
import { headerOf, paneOf, projectOf, sessionOf } from "./room";
import { planeOf } from "./scene";
import { takeWire } from "./wire";

const SHAPE: Triple = [9, 9, 3];
const at = (i: number, j: number, k = 1): number => flatIndex(SHAPE, [i, j, k]);
const said = (): string => notices.value.map(({ message }) => message).join("; ");

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function randomMask(next: () => number): Uint8Array {
  return Uint8Array.from({ length: 243 }, () => Math.floor(next() * 4));
}

function press(session: CaseSession, key: string, shiftKey = false): boolean {
  const event = { key, code: "", repeat: false, shiftKey, ctrlKey: false, metaKey: false, altKey: false } as KeyboardEvent;
  return pressKey(event, { session, openDialog: () => undefined, leave: () => undefined });
}

beforeEach(() => {
  notices.value = [];
  tool.value = "brush";
  brushRadiusMm.value = 2;
  negative.value = false;
});

describe("sizes", () => {
  test("follow every stroke, answer, undo and new draft", () => {
    const next = random(7);
    const session = sessionOf(randomMask(next), headerOf(SHAPE));
    const draft = session.draft.value!;
    const counted = (): number[] => [0, 1, 2, 3].map((value) => draft.mask.filter((voxel) => voxel === value).length);
    const known = (): number[] => [0, 1, 2, 3].map((value) => draft.counts.of(value));
    for (let n = 0; n < 300; n++) {
      const edit: Edit = difference(draft.mask, randomMask(next));
      const act = Math.floor(next() * 6);
      if (act === 0) draft.accept(edit.forward, n, {});
      else if (act === 1) draft.undo();
      else if (act === 2) draft.redo();
      else if (act === 3) draft.adopt([{ runs: edit.forward }]);
      else if (act === 4) draft.reset(randomMask(next));
      else {
        for (const [start, length, value] of edit.forward) draft.mask.fill(value, start, start + length);
        draft.commit(edit);
      }
      expect(known()).toEqual(counted());
    }
  });

  test("cost a stroke's voxels, not a look at the whole volume", () => {
    const counts = new LabelCounts(new Uint8Array(100));
    counts.move([[0, 3, 0]], [[0, 3, 2]]);
    expect([counts.of(0), counts.of(2), counts.empty]).toEqual([97, 3, false]);
    counts.move([[0, 3, 2]], [[0, 3, 0]]);
    expect(counts.empty).toBe(true);
    const session = sessionOf(new Uint8Array(243), headerOf(SHAPE));
    const draft = session.draft.value!;
    draft.mask[at(8, 8, 2)] = 3; // nobody said so
    draft.mask[0] = 1;
    draft.commit({ forward: [[0, 1, 1]], inverse: [[0, 1, 0]] });
    expect([draft.counts.of(1), draft.counts.of(3)]).toEqual([1, 0]);
  });

  test("are ml by the affine, areas in pictures, and counts where the size of voxels is not known", () => {
    const affine = [
      [-0.5, 0, 1, 0],
      [0, 0.5, 0, 0],
      [0, 0, 4, 0],
      [0, 0, 0, 1],
    ];
    const ct = headerOf(SHAPE, { affine });
    expect([0, 1, 2500, 250_000].map((n) => sizeText(n, ct))).toEqual(["0 ml", "0.001 ml", "2.5 ml", "250 ml"]);
    expect(sizeText(7, headerOf(SHAPE, { spaced: false }))).toBe("7 voxels");
    const film = headerOf([9, 9, 1], { planes: [planeOf(2, 0, 1, false, false, [0.5, 0.5, 1])] });
    expect([sizeText(8, film), sizeText(4000, film)]).toEqual(["2.0 mm²", "10.0 cm²"]);
    expect(sizeText(8, headerOf([9, 9, 1], { sized: false, spaced: false }))).toBe("8 px");
  });
});

describe("runs parted by locks", () => {
  test("write what is free and bring back the rest, whatever the mask", () => {
    const next = random(3);
    for (let n = 0; n < 100; n++) {
      const [mask, wanted] = [randomMask(next), randomMask(next)];
      const locked = new Set([1, 3].filter(() => next() < 0.5));
      const { free, back, labels } = heldBack(mask, difference(mask, wanted).forward, locked);
      const [ours, server] = [mask.slice(), wanted.slice()];
      for (const [start, length, value] of free) ours.fill(value, start, start + length);
      for (const [start, length, value] of back) server.fill(value, start, start + length);
      expect(server).toEqual(ours);
      mask.forEach((value, index) => {
        const touched = value !== wanted[index] && (locked.has(value) || locked.has(wanted[index]!));
        expect(ours[index]).toBe(touched ? value : wanted[index]);
      });
      expect([...labels].every((value) => locked.has(value))).toBe(true);
    }
  });
});

describe("the label under the pointer", () => {
  const scene = (): CaseSession => {
    const mask = new Uint8Array(243);
    mask[at(4, 4)] = 2;
    return sessionOf(mask, headerOf(SHAPE));
  };
  const altClick = (session: CaseSession, x: number, y: number) =>
    beginDrag(paneOf(session), { x, y }, { button: 0, shiftKey: false, ctrlKey: false, metaKey: false, altKey: true } as PointerEvent);

  test.each(["navigate", "brush", "eraser", "fill", "push", "point", "scribble", "box", "extremes", "window"] as const)(
    "is taken by Alt + click with %s in the hand, which draws nothing",
    (hand) => {
      tool.value = hand;
      const session = scene();
      const before = session.draft.value!.mask.slice();
      expect(altClick(session, 4, 4)).toBe(null);
      expect([session.label.value, session.draft.value!.mask, session.drawing.value]).toEqual([2, before, null]);
    },
  );

  test("stays where none is, in words", () => {
    const session = scene();
    altClick(session, 0, 0);
    expect([session.label.value, said()]).toEqual([1, "No label stands here"]);
  });

  test("is taken at the crosshair by a key", () => {
    const session = scene();
    session.crosshair.value = [4, 4, 1];
    press(session, "v", true);
    expect(session.label.value).toBe(2);
    pickLabel(session, [0, 0, 0]);
    expect(session.label.value).toBe(2);
  });
});

describe("keys", () => {
  test("lock and hide the label in the hand", () => {
    const session = sessionOf(new Uint8Array(243), headerOf(SHAPE));
    session.label.value = 3;
    press(session, "l", true);
    press(session, "h", true);
    expect([[...session.segments.locked.value], [...session.hidden.value], tool.value]).toEqual([[3], [3], "brush"]);
    press(session, "l", true);
    press(session, "h", true);
    expect([[...session.segments.locked.value], [...session.hidden.value]]).toEqual([[], []]);
  });

  test("a hidden label is shown when it is drawn with", () => {
    const session = sessionOf(new Uint8Array(243), headerOf(SHAPE));
    session.hidden.value = new Set([1, 2]);
    const event = { button: 0, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false } as PointerEvent;
    beginDrag(paneOf(session), { x: 4, y: 4 }, event)!.end();
    expect([...session.hidden.value]).toEqual([2]);
  });
});

describe("a colour", () => {
  test("is changed for everybody, and nothing else of the task", async () => {
    const labels = [
      { value: 1, name: "renamed", colour: "#ff0000" },
      { value: 2, name: "two", colour: "#00ff00" },
    ];
    const asked = takeWire(({ method }) => (method === "GET" ? { json: { task: { version: 4, labels } } } : { json: { changes: [] } }));
    const project = projectOf();
    const session = sessionOf(null, headerOf(SHAPE), project);
    await recolour(session, 2, "#123456");
    expect(asked.at(-1)).toMatchObject({ method: "PATCH", body: { version: 4, labels: [labels[0], { ...labels[1], colour: "#123456" }] } });
    expect(session.labels[1]!.colour).toBe("#123456");
    expect(sessionOf(null, headerOf(SHAPE), project).labels[1]!.colour, "of the next case").toBe("#123456");
  });

  test("that the server refuses is the one before, with its words", async () => {
    takeWire(() => ({ status: 409, json: { error: { code: "conflict", message: "The task has version 5", remedy: "read it again" } } }));
    const session = sessionOf(null, headerOf(SHAPE));
    await recolour(session, 2, "#123456");
    expect([session.labels[1]!.colour, said()]).toEqual(["#00ff00", "The task has version 5"]);
  });
});
