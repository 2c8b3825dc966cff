import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { lockedLabels, mayChange } from "../src/edits/locks";
import { flatIndex, voxelCount } from "../src/geometry/plane";
import { takeOnTop, takeSaved } from "../src/state/conflicts";
import { ballBrush, brushRadiusMm, keepOthers, type Tool, tool } from "../src/state/display";
import { takeHypothesis } from "../src/state/hypotheses";
import { notices } from "../src/state/notices";
import { adoptOffer } from "../src/state/proposals";
import { attachRefiner, fillSlices, give, removeGiven, step } from "../src/state/refining";
import { attachQueue } from "../src/state/saving";
import type { CaseSession, Conflict } from "../src/state/session";
import { beginDrag } from "../src/tools/pointer";
import { headerOf, paneOf, predictionOf, sessionOf } from "./room";
import { takeWire } from "./wire";

const SHAPE: Triple = [9, 9, 3];
const at = (i: number, j: number, k = 1): number => flatIndex(SHAPE, [i, j, k]);

/** Label 1 on the left, 2 on the right, 3 in a corner; label 1 is in the hand. */
function scene(): Uint8Array {
  const mask = new Uint8Array(voxelCount(SHAPE));
  for (let k = 0; k < 3; k++) {
    for (let j = 2; j < 7; j++) {
      for (let i = 1; i < 4; i++) mask[at(i, j, k)] = 1;
      for (let i = 5; i < 8; i++) mask[at(i, j, k)] = 2;
    }
    mask[at(0, 0, k)] = 3;
  }
  return mask;
}

/** Drag across everything with a tool. */
function sweep(session: CaseSession, hand: Tool, ctrlKey = false, from = 0): void {
  tool.value = hand;
  const event = { button: 0, shiftKey: false, ctrlKey, metaKey: false, altKey: false } as PointerEvent;
  const gesture = beginDrag(paneOf(session), { x: from, y: 4 }, event);
  gesture?.move({ x: 8, y: 4 }, event);
  gesture?.move({ x: 0, y: 0 }, event);
  gesture?.end();
}

const OTHER = scene().map((value) => (value === 0 ? 2 : value === 1 ? 3 : 1));

const TOOLS: Record<string, (session: CaseSession) => void> = {
  brush: (session) => sweep(session, "brush"),
  "ball brush": (session) => {
    ballBrush.value = true;
    sweep(session, "brush");
  },
  eraser: (session) => sweep(session, "eraser"),
  "brush with Ctrl": (session) => sweep(session, "brush", true),
  "push outwards": (session) => sweep(session, "push", false, 2),
  "push inwards": (session) => sweep(session, "push", false, 8),
  fill: (session) => sweep(session, "fill", false, 6),
  "a whole hypothesis": (session) => {
    session.advice.alternatives.outcome.value = { state: "there", value: { hypotheses: [{ mask: OTHER, weight: 1 }], suggested: [] } };
    session.advice.hypothesis.value = 0;
    takeHypothesis(session, "whole");
  },
  "a hypothesis in a box": (session) => {
    session.advice.alternatives.outcome.value = { state: "there", value: { hypotheses: [{ mask: OTHER, weight: 1 }], suggested: [] } };
    session.advice.hypothesis.value = 0;
    session.advice.region.value = { start: [0, 0, 0], stop: [9, 9, 2] };
    takeHypothesis(session, "part");
  },
  "a newer proposal": (session) => {
    session.offered.value = { prediction: predictionOf("p"), mask: OTHER };
    adoptOffer(session);
  },
};

beforeEach(() => {
  notices.value = [];
  brushRadiusMm.value = 2;
  ballBrush.value = false;
});
afterEach(() => {
  keepOthers.value = false;
});

describe("with “keep other labels”", () => {
  test.each(Object.entries(TOOLS))("%s leaves every voxel of another label alone", (_, use) => {
    keepOthers.value = true;
    const session = sessionOf(scene(), headerOf(SHAPE));
    use(session);
    const [before, after] = [scene(), session.draft.value!.mask];
    const others = (value: number): boolean => value === 2 || value === 3;
    before.forEach((value, index) => {
      if (others(value) || others(after[index]!)) expect([index, after[index]]).toEqual([index, value]);
    });
  });

  test.each(Object.entries(TOOLS))("unchecked, %s changes another label in the same place", (name, use) => {
    const session = sessionOf(scene(), headerOf(SHAPE));
    use(session);
    const touched = scene().some((value, index) => value > 1 && session.draft.value!.mask[index] !== value);
    expect(touched).toBe(name !== "push inwards"); // it only ever takes the label in the hand away
  });

  test("the eraser still erases the label in the hand", () => {
    keepOthers.value = true;
    const session = sessionOf(scene(), headerOf(SHAPE));
    sweep(session, "eraser");
    expect([session.draft.value!.mask[at(2, 4)], session.draft.value!.mask[at(6, 4)]]).toEqual([0, 2]);
  });

  test("gestures and filling between slices tell the server the same labels", async () => {
    keepOthers.value = true;
    const session = sessionOf(scene(), headerOf(SHAPE));
    const asked = takeWire(({ path }) =>
      path.endsWith("/fill")
        ? { json: { revision: 2, runs: [], drawn: [], filled: 0 } }
        : { json: { prompt_id: "x", prompt_ids: ["x"], revision: 1, runs: [], quality: null, engine: "e", seconds: 0 } },
    );
    session.queue = { flushed: async () => undefined, revision: 0, pending: 0, advance: () => undefined } as never;
    attachRefiner(session, session.draft.value!, async () => undefined);
    give(session, { kind: "point", voxel: [6, 4, 1], label: 1, positive: true });
    await session.refiner!.settled();
    fillSlices(session, 0);
    await session.refiner!.settled();
    expect(asked.map(({ body }) => body!.locked)).toEqual([
      [2, 3],
      [2, 3],
    ]);
  });

  test("the list and the rule say the same", () => {
    for (const active of [1, 2, 3]) {
      for (const kept of [false, true]) {
        for (const own of [[], [1], [2, 3]]) {
          const locks = { locked: new Set(own), kept, active };
          const locked = new Set(lockedLabels(locks, [{ value: 1 }, { value: 2 }, { value: 3 }]));
          const may = mayChange(locks);
          for (const value of own) expect(locked.has(value)).toBe(true);
          for (let from = 0; from < 4; from++) for (let to = 0; to < 4; to++) expect(may(from, to)).toBe(!locked.has(from) && !locked.has(to));
        }
      }
    }
  });
});

const said = (): string => notices.value.map(({ message }) => message).join("; ");

/** A session in which some labels are locked in the table of segments. */
function lockedSession(...values: number[]): CaseSession {
  const session = sessionOf(scene(), headerOf(SHAPE));
  for (const value of values) session.segments.toggleLock(value);
  return session;
}

/** Voxels that have, or had, one of these labels, and are not what they were. */
function changedOf(session: CaseSession, ...values: number[]): number[] {
  const [before, after] = [scene(), session.draft.value!.mask];
  return [...before.keys()].filter((index) => before[index] !== after[index] && (values.includes(before[index]!) || values.includes(after[index]!)));
}

describe("a locked label", () => {
  test.each(Object.entries(TOOLS))("is left alone by %s, and that is said", (name, use) => {
    const session = lockedSession(2, 3);
    use(session);
    expect(changedOf(session, 2, 3)).toEqual([]);
    if (name !== "push inwards") expect(said()).toMatch(/“two”.* is locked/); // that one takes only the label in the hand away
  });

  test.each(Object.entries(TOOLS))("in the hand is neither drawn nor taken away by %s", (_, use) => {
    const session = lockedSession(1);
    use(session);
    expect(changedOf(session, 1)).toEqual([]);
    expect(said()).toMatch(/“one” is locked/);
  });

  test.each(Object.entries(TOOLS))("that is unlocked again is changed by %s", (name, use) => {
    const session = lockedSession(2, 3);
    for (const value of [2, 3]) session.segments.toggleLock(value);
    use(session);
    expect(changedOf(session, 2, 3).length > 0).toBe(name !== "push inwards");
  });

  test("is not undone or redone, and the step waits until it is unlocked", () => {
    const session = sessionOf(scene(), headerOf(SHAPE));
    const draft = session.draft.value!;
    sweep(session, "brush");
    const drawn = draft.mask.slice();
    session.segments.toggleLock(2);
    step(session, "undo");
    expect([draft.mask, draft.canUndo.value, draft.canRedo.value]).toEqual([drawn, true, false]);
    expect(said()).toMatch(/would change “two”, which is locked/);
    session.segments.toggleLock(2);
    step(session, "undo");
    expect(draft.mask).toEqual(scene());
    session.segments.toggleLock(1);
    step(session, "redo");
    expect([draft.mask, draft.canRedo.value]).toEqual([scene(), true]);
    session.segments.toggleLock(1);
    step(session, "redo");
    expect(draft.mask).toEqual(drawn);
  });

  describe("in what comes from the server", () => {
    const RUNS = [[at(1, 2), 7, 1]]; // over labels 1 and 2 and the background between them
    const ANSWER = { prompt_id: "x", prompt_ids: ["x"], revision: 1, runs: RUNS, quality: null, engine: "e", seconds: 0 };

    function connected(...values: number[]) {
      const session = lockedSession(...values);
      const draft = session.draft.value!;
      const asked = takeWire(({ path, body }) => {
        if (path.endsWith("/draft")) return { json: { revision: Number(body!.base_revision) + 1 } };
        if (path.endsWith("/fill")) return { json: { revision: 1, runs: RUNS, drawn: [0, 2], filled: 1 } };
        if (path.endsWith("/prompts") && !body) return { json: { prompts: [], in_force: [] } };
        return { json: ANSWER };
      });
      attachQueue(session, draft, "a1", 0, async () => undefined);
      attachRefiner(session, draft, async () => undefined);
      return { session, draft, asked, saved: () => asked.filter(({ path }) => path.endsWith("/draft")).map(({ body }) => body!.runs) };
    }

    test("keeps its voxels when it was locked while a prompt was computed, and the server gets them back", async () => {
      const { session, draft, saved } = connected();
      give(session, { kind: "point", voxel: [2, 4, 1], label: 1, positive: true });
      session.segments.toggleLock(2);
      await session.refiner!.settled();
      await session.queue!.flushed();
      expect(changedOf(session, 2)).toEqual([]);
      expect(draft.mask[at(4, 2)]).toBe(1);
      expect(saved()).toEqual([[[at(5, 2), 3, 2]]]);
      expect(said()).toMatch(/“two” is locked/);
    });

    test("keeps its voxels when slices are filled between those drawn on", async () => {
      const { session, asked, saved } = connected(2);
      fillSlices(session, 0);
      await session.refiner!.settled();
      await session.queue!.flushed();
      expect(changedOf(session, 2)).toEqual([]);
      expect(asked.find(({ path }) => path.endsWith("/fill"))!.body!.locked).toEqual([2]);
      expect(saved()).toEqual([[[at(5, 2), 3, 2]]]);
      expect(said()).toMatch(/“two” is locked/);
    });

    test("keeps its voxels when a prompt is taken back", async () => {
      const { session, draft, asked } = connected(2);
      draft.prompts.add("x", { kind: "point", voxel: [2, 4, 1], label: 1, positive: true });
      removeGiven(session, "x");
      await session.refiner!.settled();
      expect(changedOf(session, 2)).toEqual([]);
      expect(asked.find(({ method }) => method === "DELETE")!.body!.locked).toEqual([2]);
    });

    test("refuses prompts for it", () => {
      const { session, asked } = connected(1);
      give(session, { kind: "point", voxel: [2, 4, 1], label: 1, positive: true });
      expect([asked, session.refiner!.pending]).toEqual([[], []]);
      expect(said()).toMatch(/“one” is locked/);
    });

    const SAVED = scene().map((value) => (value === 2 ? 0 : value === 0 ? 2 : value));
    const conflictOf = (): Conflict => ({
      title: "",
      message: "",
      remedy: "",
      saved: { assignment: "a1", revision: 7, mask: SAVED.slice(), annotated: new Set([1, 2, 3]) },
      patches: [{ runs: [[at(2, 4), 1, 0]] }],
      waiting: 0,
    });

    test.each([
      ["another window's draft", takeSaved, 1],
      ["another window's draft below our own edits", takeOnTop, 0],
    ])("keeps its voxels when %s is taken, and the server gets them back", async (_, take, one) => {
      const { session, draft, saved } = connected(2);
      take(session, draft, conflictOf());
      await session.queue!.flushed();
      expect(changedOf(session, 2)).toEqual([]);
      expect(draft.mask[at(2, 4)]).toBe(one);
      const server = SAVED.slice();
      for (const runs of saved()) for (const [start, length, value] of runs as [number, number, number][]) server.fill(value, start, start + length);
      expect(server, "the server has what is on the screen").toEqual(draft.mask);
      expect(said()).toMatch(/“two” is locked/);
    });
  });

  test("is remembered by the project, and hiding is not", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    (globalThis as { localStorage?: unknown }).localStorage = storage;
    const session = lockedSession(2, 3);
    session.hidden.value = new Set([1]);
    session.segments.toggleLock(3);
    const next = sessionOf(scene(), headerOf(SHAPE));
    expect([[...next.segments.locked.value], [...next.hidden.value]]).toEqual([[2], []]);
  });
});
