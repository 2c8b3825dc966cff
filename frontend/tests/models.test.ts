import { describe, expect, test } from "vitest";
import type { ModelLine } from "../src/api/types";
import { comparedOf, remarksOf, scoresOf, surfacesOf } from "../src/views/models";

const SCORE = { score: null, low: null, high: null, score_split: "", score_note: "", calibration: "" };
const USE = {
  live: false,
  pinned: false,
  note: "",
  comparison: null,
  nothing_new: false,
  candidate: false,
  gate: [],
  before: false,
  on_trial: false,
  trial: [],
};
const row = (more: Partial<ModelLine>): ModelLine => ({
  id: "m",
  index: 2,
  created_at: "",
  steps: 1,
  seconds: 1,
  cases: 3,
  learned: 3,
  ...SCORE,
  ...USE,
  ...more,
});
const MARKS = { selected: false, note: "", leaning: 0, warning: "", surface: "" };
const POINT = { model_index: 3, labelled_cases: 3, effort_minutes: 1, split: "test", metric: "dice", mean: 0.75, low: 0.7, high: 0.8, ...MARKS };

describe("a model in the table", () => {
  test("has its own score where the curve counts another one that learned the same", () => {
    expect(scoresOf(row({ index: 3 }), [POINT])).toEqual(["test Dice 0.750 (0.700–0.800)"]);
    expect(scoresOf(row({ score: 0.7, low: null, high: null, score_split: "test" }), [POINT])).toEqual(["test Dice 0.700"]);
    expect(scoresOf(row({ score: null }), [POINT])).toEqual(["not evaluated"]);
  });

  test("says how far surfaces are apart on each split where that was measured", () => {
    const curve = [POINT, { ...POINT, split: "audit", surface: "median HD95 2.3 mm" }, { ...POINT, model_index: 4, surface: "median HD95 9.9 mm" }];
    expect(surfacesOf({ index: 3 }, curve)).toEqual(["audit: median HD95 2.3 mm"]);
  });

  test("is not called in use by a note from before, and nothing is said twice", () => {
    const text = "+0.010 against model 1";
    const comparison = { with_index: 1, difference: 0.01, low: 0, high: 0.02, patients: 6, verdict: "better", text } as const;
    const note = `model 2 is in use: ${text}`;
    expect([comparedOf(row({ comparison })), remarksOf(row({ comparison, note, live: true }))]).toEqual([text, []]);
    const released = `model 2 was released by Ada: needed; ${text}`;
    expect(remarksOf(row({ comparison, note: released, live: true }))).toEqual(["model 2 was released by Ada: needed"]);
    expect(remarksOf(row({ note: "model 2 is in use: chosen by Ada", live: false }))).toEqual([]);
    expect(remarksOf(row({ note: "model 2 is in use: chosen by Ada", live: true }))).toHaveLength(1);
    expect(remarksOf(row({ note: "model 2 could not be evaluated (no weights); model 1 stays in use", live: false }))).toHaveLength(1);
  });

  test("that learned nothing new says so beside its comparison", () => {
    expect(remarksOf(row({ nothing_new: true })).join()).toContain("no further evidence");
  });
});
