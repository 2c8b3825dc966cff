/** Going through the steps of a mask: each is where it should be, forwards, backwards and in time. */
import { describe, expect, test } from "vitest";
import type { DraftSteps, Run, Triple } from "../src/api/types";
import { applyRuns } from "../src/edits/runs";
import { LONGEST_SECONDS, Replay, SHORTEST_SECONDS } from "../src/state/replay";

const SHAPE: Triple = [3, 2, 2];
const step = (revision: number, at: string, ...runs: Run[]) => ({ revision, what: "stroke", at: `2026-01-01T10:00:${at}Z`, runs, prompts: [], engine: "" });
const MADE: DraftSteps = {
  who: "Ada",
  began: [[0, 2, 2]],
  steps: [step(1, "00", [1, 3, 1]), step(2, "01", [6, 4, 1], [7, 1, 2]), step(3, "50", [1, 3, 0]), step(4, "50", [1, 1, 0])],
};
/** The mask after so many steps, from the beginning. */
function maskAfter(count: number): number[] {
  const mask = new Uint8Array(12);
  for (const runs of [MADE.began, ...MADE.steps.slice(0, count).map((one) => one.runs)]) applyRuns(mask, runs);
  return [...mask];
}

function room(made = MADE) {
  const drawn: ((now: number) => void)[] = [];
  const replay = new Replay(made, SHAPE, (draw) => drawn.push(draw));
  return { replay, tick: (...at: number[]) => at.forEach((now) => drawn.splice(0).forEach((draw) => draw(now))) };
}

describe("by hand", () => {
  test("every way through the steps ends in the same masks", () => {
    const { replay } = room();
    let state = 7;
    for (let n = 0; n < 200; n++) {
      state = (state * 1103515245 + 12345) % 2147483648;
      replay.go((state % 7) - 1);
      expect([...replay.mask]).toEqual(maskAfter(replay.position.value));
    }
    replay.go(99);
    expect(replay.position.value).toBe(4);
    replay.go(-5);
    expect([...replay.mask]).toEqual([2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("says how many voxels a step changed, each once, and shows the middle of the slice where most did", () => {
    const { replay } = room();
    const seen: unknown[] = [];
    replay.show = (made, middle) => seen.push([made?.revision ?? 0, middle, replay.changed]);
    for (const to of [1, 2, 3, 4, 1, 0]) replay.go(to);
    expect(seen).toEqual([
      [1, [2, 0, 0], 3],
      [2, [2, 0, 1], 4],
      [3, [2, 0, 0], 3],
      [4, null, 0],
      [1, [2, 0, 0], 3],
      [0, null, 0],
    ]);
  });

  test("what is replayed is a copy: the steps stay as they came", () => {
    const { replay } = room();
    const before = structuredClone(MADE);
    replay.go(4);
    replay.go(0);
    expect(MADE).toEqual(before);
  });
});

describe("played", () => {
  test("seconds between steps are those they took, within limits", () => {
    const { replay } = room();
    expect([0, 1, 2, 3].map((after) => replay.pause(after))).toEqual([1, 1, LONGEST_SECONDS, SHORTEST_SECONDS]);
    replay.faster(1);
    expect(replay.pause(2)).toBe(LONGEST_SECONDS / 2);
    for (let n = 0; n < 9; n++) replay.faster(-1);
    expect(replay.pause(1)).toBe(2);
  });

  test("goes to the end and stands there; played again it begins anew", () => {
    const { replay, tick } = room();
    replay.toggle();
    tick(0, 500, 1000, 1999, 2000, 3900);
    expect(replay.position.value).toBe(2);
    tick(4000, 4200);
    expect([replay.position.value, replay.playing.value]).toEqual([4, false]);
    expect([...replay.mask]).toEqual(maskAfter(4));
    replay.toggle();
    expect([replay.position.value, replay.playing.value]).toEqual([0, true]);
  });

  test("stops for who pauses or steps by hand", () => {
    const { replay, tick } = room();
    replay.toggle();
    tick(0, 1000);
    replay.go(replay.position.value + 1);
    tick(9000, 20000);
    expect([replay.position.value, replay.playing.value]).toEqual([2, false]);
    replay.toggle();
    replay.toggle();
    tick(30000);
    expect(replay.position.value).toBe(2);
  });

  test("plays nothing where nothing was drawn", () => {
    const { replay } = room({ ...MADE, steps: [] });
    replay.toggle();
    expect(replay.playing.value).toBe(false);
  });
});
