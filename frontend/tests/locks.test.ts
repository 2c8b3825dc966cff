import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { lockedLabels, mayChange } from "../src/edits/locks";
import { flatIndex, voxelCount } from "../src/geometry/plane";
import { ballBrush, brushRadiusMm, keepOthers, type Tool, tool } from "../src/state/display";
import { takeHypothesis } from "../src/state/hypotheses";
import { adoptOffer } from "../src/state/proposals";
import { attachRefiner, fillSlices, give } from "../src/state/refining";
import type { CaseSession } from "../src/state/session";
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
        const locked = new Set(lockedLabels({ kept, active }, [{ value: 1 }, { value: 2 }, { value: 3 }]));
        const may = mayChange({ kept, active });
        for (let from = 0; from < 4; from++) for (let to = 0; to < 4; to++) expect(may(from, to)).toBe(!locked.has(from) && !locked.has(to));
      }
    }
  });
});
