import { beforeEach, describe, expect, test } from "vitest";
import { ApiError, OfflineError } from "../src/api/errors";
import type { Prompt, Refined } from "../src/api/types";
import { PromptQueue } from "../src/edits/promptqueue";

const point = (i: number): Prompt => ({ kind: "point", voxel: [i, 0, 0], label: 1, positive: true });
const other = (i: number): Prompt => ({ ...point(i), label: 2 });
const stale = (revision: number): ApiError => new ApiError(409, "stale_revision", "stale", "read again", revision);
const cancelled = (): ApiError => new ApiError(409, "cancelled", "a newer prompt came", "");

/** A server that saves each request on the newest revision; every answer waits until the test lets it go. */
class Engine {
  revision = 0;
  saved: Prompt[][] = [];
  asked: { prompts: readonly Prompt[]; base: number; locked: readonly number[]; save: () => void; fail: (error: unknown) => void }[] = [];

  send = (base: number, prompts: readonly Prompt[], locked: readonly number[]): Promise<Refined> =>
    new Promise((resolve, reject) => {
      const save = (): void => {
        if (base !== this.revision) return reject(stale(this.revision));
        this.saved.push([...prompts]);
        const prompt_ids = prompts.map((_, n) => `p${this.revision}-${n}`);
        resolve({ prompt_id: prompt_ids.at(-1)!, prompt_ids, revision: ++this.revision, runs: [], quality: null, engine: "e", seconds: 0 });
      };
      this.asked.push({ prompts, base, locked, save, fail: reject });
    });
}

let engine: Engine;
let known: number;
let refusals: unknown[];
let busy: boolean[];
let flush: () => Promise<void>;
let queue: PromptQueue;

/** Let everything run that waits for nothing but its turn. */
const turn = async (): Promise<void> => {
  for (let n = 0; n < 30; n++) await Promise.resolve();
};

beforeEach(() => {
  engine = new Engine();
  [known, refusals, busy, flush] = [0, [], [], async () => undefined];
  queue = new PromptQueue({
    flushed: () => flush(),
    revision: () => known,
    send: engine.send,
    apply(refined) {
      known = refined.revision;
    },
    refused: (error) => void refusals.push(error),
    onBusy: (is) => busy.push(is),
  });
});

describe("gestures", () => {
  test("are answered one by one when nobody hurries", async () => {
    for (const n of [1, 2]) {
      queue.add(point(n));
      await turn();
      engine.asked.at(-1)!.save();
      await queue.settled();
    }
    expect(engine.saved).toEqual([[point(1)], [point(2)]]);
    expect(engine.asked.map(({ base }) => base)).toEqual([0, 1]);
    expect([known, busy.at(0), busy.at(-1), refusals.length]).toEqual([2, true, false, 0]);
  });

  test("made while an answer is out carry the open ones along", async () => {
    queue.add(point(1));
    await turn();
    queue.add(point(2));
    await turn();
    expect(engine.asked[1]!.prompts).toEqual([point(1), point(2)]);
    engine.asked[0]!.fail(cancelled());
    engine.asked[1]!.save();
    await queue.settled();
    expect(engine.saved).toEqual([[point(1), point(2)]]);
    expect(refusals).toEqual([]);
  });

  test("are saved once each when the older one was saved after all", async () => {
    queue.add(point(1));
    await turn();
    queue.add(point(2));
    await turn();
    engine.asked[0]!.save();
    engine.asked[1]!.save();
    await turn();
    engine.asked[2]!.save();
    await queue.settled();
    expect(engine.saved).toEqual([[point(1)], [point(2)]]);
    expect(engine.asked[2]!.base).toBe(1);
    expect(refusals).toEqual([]);
  });

  test("are saved once each when the older request overtakes the newer", async () => {
    queue.add(point(1));
    await turn();
    queue.add(point(2));
    await turn();
    engine.asked[1]!.fail(cancelled());
    await turn();
    engine.asked[0]!.save();
    await turn();
    engine.asked[2]!.save();
    await queue.settled();
    expect(engine.saved).toEqual([[point(1)], [point(2)]]);
    expect(refusals).toEqual([]);
  });

  test("on a draft that somebody else changed are refused, not repeated", async () => {
    engine.revision = 7;
    queue.add(point(1));
    await turn();
    engine.asked[0]!.save();
    await queue.settled();
    expect(refusals).toHaveLength(1);
    expect([engine.asked.length, queue.pending.length, queue.busy]).toEqual([1, 0, false]);
  });

  test.each([new OfflineError(), new ApiError(422, "invalid_input", "outside", ""), new ApiError(503, "unavailable", "none", "")])(
    "that fail are told once and forgotten: %s",
    async (error) => {
      queue.add(point(1));
      await turn();
      engine.asked[0]!.fail(error);
      await queue.settled();
      expect([refusals, queue.pending]).toEqual([[error], []]);
      queue.add(point(2));
      await turn();
      expect(engine.asked[1]!.prompts).toEqual([point(2)]);
      engine.asked[1]!.save();
      await queue.settled();
    },
  );

  test("wait for the edits before them, and are void when these are refused", async () => {
    let release = (): void => undefined;
    flush = () => new Promise((resolve) => (release = resolve));
    queue.add(point(1));
    await turn();
    expect(engine.asked).toEqual([]);
    known = engine.revision = 4;
    release();
    await turn();
    expect(engine.asked[0]!.base).toBe(4);
    engine.asked[0]!.save();
    await queue.settled();
    flush = () => Promise.reject(new Error("refused"));
    queue.add(point(2));
    await queue.settled();
    expect([engine.saved.length, queue.pending, refusals]).toEqual([1, [], []]);
  });

  test("keep the locks that they were made under, also when the label in the hand changes before they are sent", async () => {
    let release = (): void => undefined;
    flush = () => new Promise((resolve) => (release = resolve));
    queue.add(point(1), [2]);
    await turn();
    queue.add(other(2), [1]);
    queue.add(point(3), [2]);
    expect(queue.pending).toEqual([point(1), other(2), point(3)]);
    flush = async () => undefined;
    release();
    for (let n = 0; n < 3; n++) {
      await turn();
      engine.asked[n]!.save();
    }
    await queue.settled();
    expect(engine.saved).toEqual([[point(1)], [other(2)], [point(3)]]);
    expect(engine.asked.map(({ locked }) => locked)).toEqual([[2], [1], [2]]);
    expect([refusals, queue.pending]).toEqual([[], []]);
  });

  test("under other locks do not take a refused one along", async () => {
    queue.add(point(1), [2]);
    await turn();
    queue.add(other(2), [1]);
    await turn();
    expect(engine.asked).toHaveLength(1);
    engine.asked[0]!.fail(new ApiError(422, "invalid_input", "outside", ""));
    await turn();
    engine.asked[1]!.save();
    await queue.settled();
    expect([engine.saved, refusals.length]).toEqual([[[other(2)]], 1]);
  });

  test("and a removal do not meet", async () => {
    const order: string[] = [];
    queue.add(point(1));
    await turn();
    queue.alone(async () => void order.push("removed"));
    await turn();
    queue.add(point(2));
    await turn();
    expect([order, engine.asked.length]).toEqual([[], 1]);
    engine.asked[0]!.save();
    await turn();
    expect([order, engine.asked[1]!.prompts]).toEqual([["removed"], [point(2)]]);
    engine.asked[1]!.save();
    await queue.settled();
    expect(queue.busy).toBe(false);
  });
});
