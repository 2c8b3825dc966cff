import { beforeEach, describe, expect, test } from "vitest";
import { ApiError, OfflineError } from "../src/api/errors";
import type { Preview, Prompt, Refined, Run, Triple } from "../src/api/types";
import { changesBetween, changesOf, ghostOf } from "../src/edits/changes";
import { Draft } from "../src/edits/draft";
import { Previews, type Shown } from "../src/edits/previews";
import { applyRuns } from "../src/edits/runs";
import { sliceOf } from "../src/geometry/plane";
import { planeOf } from "./scene";

const point = (i: number): Prompt => ({ kind: "point", voxel: [i, 0, 0], label: 1, positive: true });
const stale = (): ApiError => new ApiError(409, "stale_revision", "stale", "read again", 5);

/** A server whose answers wait until the test lets them go. */
class Engine {
  asked: { prompts: readonly Prompt[]; base: number; locked: readonly number[]; answer: (effect?: string) => void; fail: (error: unknown) => void }[] = [];
  saving: { shown: Shown; done: () => void; fail: (error: unknown) => void }[] = [];
}

let engine: Engine;
let revision: number;
let locked: number[];
let refusals: { error: unknown; shown: Shown | null }[];
let taken: Shown[];
let busy: boolean;
let flush: () => Promise<void>;
let previews: Previews;

const turn = async (): Promise<void> => {
  for (let n = 0; n < 30; n++) await Promise.resolve();
};

beforeEach(() => {
  engine = new Engine();
  [revision, locked, refusals, taken, busy, flush] = [0, [], [], [], false, async () => undefined];
  previews = new Previews({
    flushed: () => flush(),
    revision: () => revision,
    locked: () => locked,
    ask: (base, prompts, under) =>
      new Promise<Preview>((resolve, fail) => {
        const answer = (effect = "e"): void => resolve({ runs: [[0, prompts.length, 1]], effect, quality: null, engine: "balls", note: "", seconds: 0 });
        engine.asked.push({ prompts, base, locked: under, answer, fail });
      }),
    save: (shown) =>
      new Promise<Refined>((resolve, fail) => {
        const done = (): void => {
          revision += shown.prompts.length;
          resolve({ prompt_id: "p", prompt_ids: shown.prompts.map(String), revision, runs: shown.runs, quality: null, engine: "balls", seconds: 0 });
        };
        engine.saving.push({ shown, done, fail });
      }),
    accepted: (_, shown) => void taken.push(shown),
    refused: (error, shown) => void refusals.push({ error, shown }),
    onBusy: (is) => (busy = is),
  });
});

const give = async (...places: number[]): Promise<void> => {
  for (const place of places) {
    previews.give(point(place));
    await turn();
    engine.asked.at(-1)!.answer();
    await turn();
  }
};

describe("a preview", () => {
  test("is shown, refined by a further prompt, and saved as it was shown", async () => {
    await give(1, 2);
    expect(engine.asked.map(({ prompts }) => prompts.length)).toEqual([1, 2]);
    expect(previews.shown.value!.runs).toEqual([[0, 2, 1]]);
    expect([previews.accept(), busy]).toEqual(["saving", true]);
    await turn();
    engine.saving[0]!.done();
    await turn();
    expect(taken.map(({ prompts }) => prompts)).toEqual([[point(1), point(2)]]);
    expect([previews.open, previews.shown.value, busy]).toEqual([false, null, false]);
  });

  test("is not accepted before it is on the screen", async () => {
    expect(previews.accept()).toBe("nothing");
    previews.give(point(1));
    await turn();
    expect([previews.accept(), engine.saving.length]).toEqual(["computing", 0]);
    engine.asked[0]!.answer();
    await turn();
    previews.give(point(2));
    expect(previews.accept()).toBe("computing");
    expect(previews.shown.value!.prompts).toEqual([point(1)]);
  });

  test("shows the answer to the newest prompts only, in whatever order answers come", async () => {
    for (const n of [1, 2, 3]) previews.give(point(n));
    await turn();
    engine.asked.at(-1)!.answer("newest");
    await turn();
    for (const { answer } of engine.asked.slice(0, -1)) answer("older");
    for (const { fail } of engine.asked.slice(0, -1)) fail(new ApiError(409, "cancelled", "a newer one came", ""));
    await turn();
    expect([previews.shown.value!.effect, previews.prompts.value.length, refusals.length, busy]).toEqual(["newest", 3, 0, false]);
  });

  test("that is dropped saves nothing, nor shows an answer that comes later", async () => {
    await give(1);
    previews.give(point(2));
    await turn();
    expect(previews.drop()).toBe(true);
    engine.asked.at(-1)!.answer();
    await turn();
    expect([previews.open, previews.shown.value, busy, engine.saving.length]).toEqual([false, null, false, 0]);
  });

  test("that is being saved can be neither dropped nor saved twice", async () => {
    await give(1);
    previews.accept();
    expect([previews.drop(), previews.accept(), engine.saving.length]).toEqual([false, "saving", 1]);
  });

  test("goes back by a prompt without asking anew", async () => {
    await give(1, 2);
    previews.back();
    expect([previews.shown.value!.runs, engine.asked.length]).toEqual([[[0, 1, 1]], 2]);
    previews.back();
    expect([previews.open, previews.shown.value]).toEqual([false, null]);
  });

  test("goes back by a prompt that was answered together with others by asking for what is left", async () => {
    for (const n of [1, 2]) previews.give(point(n));
    await turn();
    engine.asked.at(-1)!.answer();
    await turn();
    previews.back();
    await turn();
    expect(engine.asked.at(-1)!.prompts).toEqual([point(1)]);
    expect(previews.shown.value).toBe(null);
  });

  test("falls back to what was shown when a prompt is refused", async () => {
    await give(1);
    previews.give(point(2));
    await turn();
    engine.asked.at(-1)!.fail(new ApiError(422, "invalid", "outside", ""));
    await turn();
    expect([previews.prompts.value, refusals.length, busy]).toEqual([[point(1)], 1, false]);
    expect(previews.shown.value!.prompts).toEqual([point(1)]);
  });

  test("is computed again under the locks of now before it is accepted", async () => {
    await give(1);
    locked = [2];
    expect([previews.accept(), engine.saving.length]).toEqual(["locks changed", 0]);
    await turn();
    expect(engine.asked.at(-1)!.locked).toEqual([2]);
    engine.asked.at(-1)!.answer();
    await turn();
    expect(previews.accept()).toBe("saving");
  });

  test("stays open while there is no connection, and is accepted later", async () => {
    await give(1);
    previews.accept();
    engine.saving[0]!.fail(new OfflineError());
    await turn();
    expect([previews.open, busy, refusals.length]).toEqual([true, false, 1]);
    expect([previews.accept(), engine.saving.length]).toEqual(["saving", 2]);
  });

  test("is shown anew where the engine answers differently by now", async () => {
    await give(1);
    previews.accept();
    engine.saving[0]!.fail(new ApiError(409, "conflict", "differently by now", ""));
    await turn();
    expect([previews.shown.value, engine.asked.length]).toEqual([null, 2]);
    engine.asked[1]!.answer("other");
    await turn();
    expect(previews.shown.value!.effect).toBe("other");
  });

  test("of a draft that was changed elsewhere is gone, and what it held is told", async () => {
    await give(1);
    previews.accept();
    engine.saving[0]!.fail(stale());
    await turn();
    expect([previews.open, refusals[0]!.shown!.prompts]).toEqual([false, [point(1)]]);
  });

  test("goes on with a prompt given while it is being saved", async () => {
    await give(1);
    previews.accept();
    previews.give(point(2));
    await turn();
    expect(engine.asked.length).toBe(1);
    engine.saving[0]!.done();
    await turn();
    expect([engine.asked[1]!.prompts, engine.asked[1]!.base]).toEqual([[point(2)], 1]);
  });

  test("waits until what was drawn before is saved", async () => {
    let saved: () => void = () => undefined;
    flush = () => new Promise((resolve) => (saved = resolve));
    previews.give(point(1));
    await turn();
    expect(engine.asked.length).toBe(0);
    revision = 7;
    saved();
    await turn();
    expect(engine.asked[0]!.base).toBe(7);
  });
});

describe("what runs change", () => {
  const mask = Uint8Array.from([0, 1, 1, 2, 0, 0]);

  test("is counted by label, voxels that become background too", () => {
    const runs: Run[] = [
      [0, 2, 1],
      [2, 1, 0],
      [3, 1, 1],
    ];
    const changes = changesOf(mask, runs);
    expect(changes).toEqual({
      voxels: 3,
      labels: [
        { label: 1, gained: 2, lost: 1 },
        { label: 2, gained: 0, lost: 1 },
      ],
    });
    const after = mask.slice();
    applyRuns(after, runs);
    expect(changesBetween(mask, after)).toEqual(changes);
    expect(changesOf(mask, [[1, 2, 1]])).toEqual({ voxels: 0, labels: [] });
  });

  test("is drawn in every plane as the mask would be", () => {
    const shape: Triple = [3, 4, 2];
    const before = Uint8Array.from({ length: 24 }, (_, n) => (n % 5 === 0 ? 2 : 0));
    const runs: Run[] = [
      [4, 7, 1],
      [15, 1, 0],
    ];
    const after = before.slice();
    applyRuns(after, runs);
    for (const plane of [planeOf(2, 0, 1, false, true), planeOf(1, 0, 2, true, false), planeOf(0, 1, 2, true, true)]) {
      for (let number = 0; number < shape[plane.slice_axis]!; number++) {
        const slice = sliceOf(plane, shape, number);
        const drawn = (of: Uint8Array): number[] =>
          Array.from(
            { length: slice.width * slice.height },
            (_, n) => of[slice.start + (n % slice.width) * slice.right + Math.floor(n / slice.width) * slice.down]!,
          );
        const ghost = ghostOf(before, runs, slice, plane, shape);
        if (ghost) expect([...ghost.after]).toEqual(drawn(after));
        else expect(drawn(after)).toEqual(drawn(before));
        if (ghost) expect([...ghost.lost]).toEqual(drawn(before).map((old, n) => (old !== 0 && old !== drawn(after)[n] ? 1 : 0)));
      }
    }
  });

  test("of an accepted preview is one exact step of undo", () => {
    const draft = new Draft(mask.slice());
    draft.accept([[0, 3, 2]], 2, { restores: ["a", "b"] });
    expect(draft.undo()).toBe(true);
    expect([...draft.mask]).toEqual([...mask]);
    expect(draft.undo()).toBe(false);
  });
});
