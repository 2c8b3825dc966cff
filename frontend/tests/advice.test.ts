import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { unpackVoxels } from "../src/api/unpack";
import { differences, mixed, sliceRegion, wholeOf } from "../src/edits/mix";
import { placeSlice } from "../src/geometry/viewport";
import { evidenceTable } from "../src/render/lut";
import { diamondAt, frameOf } from "../src/render/signs";
import { Advice } from "../src/state/advice";
import { Question } from "../src/state/question";
import { planeOf } from "./scene";

const SHAPE: Triple = [3, 2, 2];
const anyLabel = (): boolean => true;

describe("a hypothesis", () => {
  const mask = Uint8Array.from([1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
  const other = Uint8Array.from([1, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0]);

  test("is counted where it differs, slice by slice", () => {
    expect([...differences(mask, other, SHAPE, 2)]).toEqual([2, 1]);
    expect([...differences(mask, other, SHAPE, 0)]).toEqual([0, 2, 1]);
  });

  test("is taken whole, in one slice or in a box", () => {
    expect(mixed(mask, other, SHAPE, wholeOf(SHAPE), anyLabel)).toEqual(other);
    expect([...mixed(mask, other, SHAPE, sliceRegion(SHAPE, 2, 1), anyLabel)]).toEqual([1, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0]);
    expect([...mixed(mask, other, SHAPE, { start: [1, 0, 0], stop: [2, 1, 2] }, anyLabel)]).toEqual([1, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0]);
  });

  test("leaves labels alone that are kept, and never touches the mask itself", () => {
    const before = mask.slice();
    expect([...mixed(mask, other, SHAPE, wholeOf(SHAPE), (from, to) => from !== 2 && to !== 2)]).toEqual([1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
    expect(mask).toEqual(before);
  });
});

describe("voxels in JSON", () => {
  const packed = (values: number[]): string => gzipSync(Uint8Array.from(values)).toString("base64");

  test("come out as they went in", async () => {
    expect([...(await unpackVoxels(packed([0, 127, 129, 255]), 4))]).toEqual([0, 127, 129, 255]);
  });

  test("of another number are refused", async () => {
    await expect(unpackVoxels(packed([1, 2]), 3)).rejects.toThrow("3 voxels was expected, got 2");
  });
});

describe("a question", () => {
  test("is answered or refused in one line", async () => {
    const question = new Question<number>();
    await question.request(async () => 3);
    expect([question.value, question.outcome.value.state]).toEqual([3, "there"]);
    await question.request(() => Promise.reject(new Error("No")));
    expect(question.outcome.value).toEqual({ state: "refused", line: "No: reload the page" });
  });

  test("counts no longer once a newer one is asked or the case is left", async () => {
    const question = new Question<string>();
    const answers: ((text: string) => void)[] = [];
    const signals: AbortSignal[] = [];
    const wait = (signal: AbortSignal): Promise<string> => {
      signals.push(signal);
      return new Promise((resolve) => answers.push(resolve));
    };
    const [first, second] = [question.request(wait), question.request(wait)];
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    answers[0]!("old");
    await first;
    expect(question.pending).toBe(true);
    question.callOff();
    answers[1]!("late");
    await second;
    expect([question.outcome.value.state, signals[1]!.aborted]).toEqual(["none", true]);
  });
});

test("leaving a case calls off whatever was asked about it", () => {
  const advice = new Advice();
  const signals = [advice.leaving];
  const wait = (signal: AbortSignal): Promise<never> => new Promise(() => void signals.push(signal));
  void advice.alternatives.request(wait);
  void advice.reason.request(wait);
  void advice.similar.request(wait);
  advice.close();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true]);
});

test("evidence for and against has its own colour, and none stays clear", () => {
  const table = evidenceTable(1);
  const byte = (value: number): number => (value < 0 ? value + 256 : value);
  expect([table[0]! >>> 24, table[byte(-3)]! >>> 24]).toEqual([0, 0]);
  expect([table[127]! >>> 24, table[byte(-127)]! >>> 24]).toEqual([255, 255]);
  expect(table[127]! & 0xffffff).not.toBe(table[byte(-127)]! & 0xffffff);
});

test("signs lie around and on their voxels, in the slices they belong to", () => {
  const plane = planeOf(2, 0, 1, false, false);
  const shape: Triple = [10, 10, 3];
  const place = placeSlice(plane, shape, 100, 100, { zoom: 1, panX: 0, panY: 0 });
  const scene = { plane, shape, number: 1, place };
  const [frame] = frameOf({ start: [2, 3, 1], stop: [4, 4, 2] }, "box", "#ffffff", scene);
  expect(frame!.at[1]!.x - frame!.at[0]!.x).toBeCloseTo(2 * place.sizeX);
  expect(frame!.at[1]!.y - frame!.at[0]!.y).toBeCloseTo(place.sizeY);
  expect(frameOf({ start: [2, 3, 2], stop: [4, 4, 3] }, "box", "#ffffff", scene)).toEqual([]);
  expect(diamondAt([5, 5, 1], "1", "#ffffff", scene)).toHaveLength(1);
  expect(diamondAt([5, 5, 0], "1", "#ffffff", scene)).toEqual([]);
});
