import { describe, expect, test } from "vitest";
import { Draft } from "../src/edits/draft";
import { History } from "../src/edits/history";
import { mayChange } from "../src/edits/locks";
import { alreadyApplied, applyRuns, inverseOf, Recorder } from "../src/edits/runs";

/** A small reproducible random source. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * sides);
  };
}

const any = mayChange({ locked: new Set(), kept: false, active: 1 });

describe("a recorder", () => {
  test("joins neighbouring voxels into one run, whatever the order they were painted in", () => {
    const recorder = new Recorder(new Uint8Array(10), 2, any);
    for (const index of [5, 3, 4, 9]) recorder.paint(index);
    expect(recorder.edit().forward).toEqual([
      [3, 3, 2],
      [9, 1, 2],
    ]);
  });

  test("splits the way back where different labels were painted over", () => {
    const mask = Uint8Array.from([0, 1, 1, 3]);
    const recorder = new Recorder(mask, 2, any);
    for (let index = 0; index < 4; index++) recorder.paint(index);
    expect(recorder.edit()).toEqual({
      forward: [[0, 4, 2]],
      inverse: [
        [0, 1, 0],
        [1, 2, 1],
        [3, 1, 3],
      ],
    });
  });

  test("leaves voxels alone that already hold the value or may not be replaced", () => {
    const recorder = new Recorder(Uint8Array.from([2, 1, 0]), 2, (old) => old === 0);
    for (let index = 0; index < 3; index++) recorder.paint(index);
    expect(recorder.edit().forward).toEqual([[2, 1, 2]]);
  });

  test("abandoned brings the mask back", () => {
    const mask = Uint8Array.from([1, 2, 3]);
    const recorder = new Recorder(mask, 0, any);
    for (let index = 0; index < 3; index++) recorder.paint(index);
    recorder.abandon();
    expect([...mask]).toEqual([1, 2, 3]);
  });

  test("grows beyond its first thousand voxels", () => {
    const recorder = new Recorder(new Uint8Array(5000), 1, any);
    for (let index = 0; index < 5000; index++) recorder.paint(index);
    expect(recorder.edit().forward).toEqual([[0, 5000, 1]]);
  });
});

describe("runs", () => {
  test("and their inverse restore any mask, for random strokes", () => {
    const roll = dice(7);
    for (let round = 0; round < 50; round++) {
      const mask = Uint8Array.from({ length: 200 }, () => roll(4));
      const before = mask.slice();
      const recorder = new Recorder(mask, roll(4), any);
      for (let n = 0; n < 60; n++) recorder.paint(roll(200));
      const after = mask.slice();
      const { forward, inverse } = recorder.edit();
      applyRuns(mask, inverse);
      expect(mask).toEqual(before);
      applyRuns(mask, forward);
      expect(mask).toEqual(after);
    }
  });

  test("applied twice are the same as once", () => {
    const mask = new Uint8Array(6);
    applyRuns(mask, [[1, 3, 2]]);
    expect(alreadyApplied(mask, [[1, 3, 2]])).toBe(true);
    expect(alreadyApplied(mask, [[1, 4, 2]])).toBe(false);
  });

  test("know what they would overwrite", () => {
    expect(inverseOf(Uint8Array.from([1, 1, 0, 2]), [[0, 4, 3]])).toEqual([
      [0, 2, 1],
      [2, 1, 0],
      [3, 1, 2],
    ]);
  });
});

describe("history", () => {
  test("undoes and redoes stroke by stroke without limit", () => {
    const draft = new Draft(new Uint8Array(1000));
    for (let n = 0; n < 1000; n++) {
      const recorder = new Recorder(draft.mask, 1, any);
      recorder.paint(n);
      draft.commit(recorder.edit());
    }
    while (draft.undo());
    expect(draft.mask.every((value) => value === 0)).toBe(true);
    while (draft.redo());
    expect(draft.mask.every((value) => value === 1)).toBe(true);
    expect([draft.canUndo.value, draft.canRedo.value]).toEqual([true, false]);
  });

  test("forgets the undone when something new is drawn", () => {
    const history = new History();
    history.push({ forward: [[0, 1, 1]], inverse: [[0, 1, 0]] });
    history.undo();
    history.push({ forward: [[1, 1, 1]], inverse: [[1, 1, 0]] });
    expect(history.redo()).toBeNull();
  });

  test("a stroke that changed nothing is no step", () => {
    const draft = new Draft(new Uint8Array(4));
    draft.commit({ forward: [], inverse: [] });
    expect(draft.undo()).toBe(false);
  });

  test("edits adopted on top of another draft can be undone to it", () => {
    const draft = new Draft(Uint8Array.from([2, 2, 2]));
    draft.adopt([{ runs: [[0, 2, 1]] }, { runs: [[1, 2, 3]] }]);
    expect([...draft.mask]).toEqual([1, 3, 3]);
    draft.undo();
    draft.undo();
    expect([...draft.mask]).toEqual([2, 2, 2]);
  });
});
