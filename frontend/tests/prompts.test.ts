import { describe, expect, test } from "vitest";
import type { Link, PlaneHeader, Prompt, Triple } from "../src/api/types";
import { Draft } from "../src/edits/draft";
import { PatchQueue } from "../src/edits/queue";
import { MemoryStorage } from "../src/edits/storage";
import { placeSlice } from "../src/geometry/viewport";
import { linesWithin, marksOf } from "../src/render/marks";
import { boxBetween, voxelsBetween } from "../src/tools/prompting";
import { EVERY_PLANE, planeOf } from "./scene";

const SHAPE: Triple = [20, 30, 10];
const AXIAL = planeOf(2, 0, 1, true, true);
const page = (plane: PlaneHeader, number: number) => ({ plane, shape: SHAPE, number });
const point = (voxel: Triple, positive = true): Prompt => ({ kind: "point", voxel, label: 1, positive });

/** A draft and what its queue sent. */
function savedDraft(): { draft: Draft; sent: { runs: unknown; link: Link | undefined }[]; queue: PatchQueue } {
  const draft = new Draft(new Uint8Array(8));
  const sent: { runs: unknown; link: Link | undefined }[] = [];
  const queue = new PatchQueue({
    assignment: "a",
    project: "p",
    caseId: "c",
    tab: "t",
    person: "Ada",
    revision: 0,
    storage: new MemoryStorage(),
    send: async (base, runs, link) => {
      sent.push({ runs, link });
      return base + 1;
    },
    pause: async () => undefined,
    onState(_state, _pending, revision) {
      draft.revision.value = revision;
    },
    onRefused: (error) => {
      throw error;
    },
  });
  draft.attach(queue);
  return { draft, sent, queue };
}

describe("the answer to a gesture", () => {
  test("is one step that takes the gesture along, back and forth without limit", async () => {
    const { draft, sent, queue } = savedDraft();
    draft.commit({ forward: [[0, 2, 2]], inverse: [[0, 2, 0]] });
    draft.mask.fill(2, 0, 2);
    await queue.flushed();
    const before = draft.mask.slice();
    draft.prompts.add("one", point([1, 0, 0]));
    draft.accept([[1, 3, 1]], 2, { restores: ["one"] });
    const after = draft.mask.slice();
    expect([[...after], draft.revision.value, sent.length]).toEqual([[2, 1, 1, 1, 0, 0, 0, 0], 2, 1]);
    for (let n = 0; n < 20; n++) {
      draft.undo();
      expect([draft.mask, draft.prompts.inForce.value]).toEqual([before, []]);
      draft.redo();
      expect(draft.mask).toEqual(after);
      expect(draft.prompts.inForce.value.map(({ id }) => id)).toEqual(["one"]);
    }
    await queue.flushed();
    expect(sent[1]).toEqual({
      runs: [
        [1, 1, 2],
        [2, 2, 0],
      ],
      link: { withdraws: ["one"], restores: [] },
    });
    expect(sent[2]).toEqual({ runs: [[1, 3, 1]], link: { restores: ["one"] } });
  });

  test("that changed nothing can still be taken back", async () => {
    const { draft, sent, queue } = savedDraft();
    draft.prompts.add("one", point([1, 0, 0]));
    draft.accept([], 1, { restores: ["one"] });
    expect(draft.undo()).toBe(true);
    await queue.flushed();
    expect(sent).toEqual([{ runs: [], link: { withdraws: ["one"], restores: [] } }]);
  });

  test("comes back at its place among the others", () => {
    const { draft } = savedDraft();
    ["a", "b", "c"].forEach((id) => draft.prompts.add(id, point([0, 0, 0])));
    draft.prompts.follow({ withdraws: ["b"] });
    draft.prompts.follow({ restores: ["b"] });
    expect(draft.prompts.inForce.value.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });
});

describe("a stroke", () => {
  test.each(EVERY_PLANE)("is a chain of neighbours within its slice, across axis $slice_axis", (plane) => {
    const found = voxelsBetween({ x: 1.2, y: 2.4 }, { x: 60, y: 9 }, page(plane, 4));
    expect(linesWithin(found, plane.slice_axis, 4)).toHaveLength(1);
    for (const voxel of found) voxel.forEach((v, axis) => expect(v >= 0 && v < SHAPE[axis]! && Number.isInteger(v)).toBe(true));
  });

  test("shows in other planes only where it crosses them", () => {
    const voxels: Triple[] = [
      [1, 5, 3],
      [2, 5, 3],
      [3, 5, 3],
      [3, 6, 3],
    ];
    expect(linesWithin(voxels, 0, 3)).toEqual([
      [
        [3, 5, 3],
        [3, 6, 3],
      ],
    ]);
    expect(linesWithin(voxels, 2, 4)).toEqual([]);
    expect(
      linesWithin(
        [
          [0, 0, 0],
          [5, 5, 0],
        ],
        2,
        0,
      ),
    ).toHaveLength(2);
  });
});

describe("a box", () => {
  test("holds both corners, one slice thick, wherever it was begun", () => {
    const [a, b] = [
      { x: 3, y: 8 },
      { x: 7.3, y: 2 },
    ];
    const there = boxBetween(a, b, page(AXIAL, 4), 2);
    expect(there).toEqual(boxBetween(b, a, page(AXIAL, 4), 2));
    expect(there.stop.map((stop, axis) => stop - there.start[axis]!)).toEqual([5, 7, 1]);
    expect([there.start[2], there.stop[2], there.label]).toEqual([4, 5, 2]);
  });

  test("outermost points show as clicks, each on its own slice", () => {
    const scene = { ...page(AXIAL, 4), place: placeSlice(AXIAL, SHAPE, 400, 300, { zoom: 1, panX: 0, panY: 0 }), colourOf: () => "#123456" };
    const prompt: Prompt = {
      kind: "extreme_points",
      voxels: [
        [2, 3, 4],
        [9, 3, 4],
        [5, 3, 6],
      ],
      label: 1,
    };
    expect(marksOf({ prompt }, scene).map(({ form, positive }) => [form, positive])).toEqual([
      ["point", true],
      ["point", true],
    ]);
    expect(marksOf({ prompt }, { ...scene, number: 6 })).toHaveLength(1);
  });

  test("is drawn around its voxels in its slice and nowhere else", () => {
    const place = placeSlice(AXIAL, SHAPE, 400, 300, { zoom: 1, panX: 0, panY: 0 });
    const scene = { plane: AXIAL, shape: SHAPE, number: 4, place, colourOf: () => "#123456" };
    const prompt = boxBetween({ x: 3, y: 2 }, { x: 7, y: 8 }, page(AXIAL, 4), 1);
    const [mark] = marksOf({ prompt, chosen: true }, scene);
    expect(mark).toMatchObject({ form: "box", colour: "#123456", chosen: true });
    expect(mark!.at[1]!.x - mark!.at[0]!.x).toBeCloseTo(5 * place.sizeX);
    expect(mark!.at[1]!.y - mark!.at[0]!.y).toBeCloseTo(7 * place.sizeY);
    expect(marksOf({ prompt }, { ...scene, number: 5 })).toEqual([]);
  });
});
