import { expect, test } from "vitest";
import type { ModelChange, Progress } from "../src/api/types";
import { csvText } from "../src/browser/files";
import { changeWords, directionOf, scoreOf, targetWords, workWords } from "../src/state/answers";

const change = (low: number | null, high: number | null): ModelChange => ({
  older: 3,
  newer: 4,
  split: "test",
  mean: 0.0123,
  low,
  high,
  note: "2 patients: too few for an interval",
  patients: 12,
  better: 1,
  worse: 0,
  cases: [],
}); // prettier-ignore

test("a model is better or worse only where the whole interval says so", () => {
  expect([directionOf(change(0.001, 0.02)), directionOf(change(-0.02, -0.001)), directionOf(change(-0.01, 0.02)), directionOf(change(null, null))]).toEqual([
    "better",
    "worse",
    "unclear",
    "unclear",
  ]);
  expect(changeWords(change(0.004, 0.021))).toBe("Better than model 3: +0.012 (+0.004 to +0.021), paired over 12 patients");
  expect(changeWords(change(null, null))).toBe("No clear difference to model 3: +0.012 (2 patients: too few for an interval), paired over 12 patients");
});

test("the score is that of the newest evaluated model with its interval, or why there is none", () => {
  const models = [
    { index: 1, score: 0.8, low: 0.7, high: 0.9, score_split: "test", score_note: "" },
    { index: 2, score: 0.842, low: null, high: null, score_split: "audit", score_note: "3 patients: too few" },
    { index: 3, score: null, low: null, high: null, score_split: "", score_note: "" },
  ] as Progress["models"];
  const curve = [{ model_index: 2, metric: "dice" }] as Progress["curve"];
  expect(scoreOf({ models, curve })).toEqual({ value: "Dice 0.842", basis: "Model 2 on audit cases; 3 patients: too few" });
  expect(scoreOf({ models: models.slice(0, 1), curve })).toEqual({ value: "Dice 0.800 (0.700–0.900)", basis: "Model 1 on test cases; 95 % interval" });
  expect(scoreOf({ models: [], curve: [] }).basis).toBe("No model yet: annotate some cases");
});

test("hours to the target stand with their interval, and what cannot be said is named", () => {
  const reach = (expected: number | null, low: number | null, high: number | null) => ({ expected, low, high });
  const target = { target: 0.9, cases: reach(60, 20, 200), hours: reach(3.2, 0.5, 14), left: 500, note: "" };
  expect(targetWords(target)).toEqual({
    value: "3.2 h (30 min to 14 h)",
    basis: "To reach 0.9: 60 cases (20 cases to 200 cases) of the 500 left; 95 % intervals",
  });
  expect(targetWords({ ...target, hours: reach(3.2, 0.5, null) }).value).toBe("3.2 h (30 min to never, perhaps)");
  expect(targetWords({ ...target, hours: reach(null, null, null) }).value).toBe("out of reach");
  expect(targetWords({ ...target, hours: reach(null, 2, null) }).value).toBe("2.0 h at best");
  expect(targetWords({ ...target, hours: null, note: "3 annotations with a recorded time are needed for hours" }).value).toBe(
    "60 cases (20 cases to 200 cases)",
  );
  expect(targetWords({ ...target, cases: null, hours: null, note: "5 more evaluated patients needed" })).toEqual({
    value: "cannot be judged yet",
    basis: "To reach 0.9: 5 more evaluated patients needed",
  });
  expect(targetWords({ ...target, cases: reach(0, 0, 0) }).value).toBe("reached");
  expect(targetWords(null).value).toBe("no target set");
});

test("what a case takes is said as far as it is known", () => {
  expect(workWords({ cases: 4, minutes: 2.14, strokes: 14.2, prompts: 3.25, slices: null })).toBe("2.1 min · 14 strokes · 3.3 prompts");
  expect(workWords(null)).toBe("no time recorded");
});

test("no cell of a file begins a formula, numbers stay numbers, and quotes are doubled", () => {
  expect(csvText([["=1+1", "+cmd", "-0.5", "@x", "+0.012", "\t=x", 'a "b", c', "a=b", "−0.5"]])).toBe(
    `'=1+1,'+cmd,-0.5,'@x,+0.012,'\t=x,"a ""b"", c",a=b,−0.5\n`,
  );
});
