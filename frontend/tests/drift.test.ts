import { expect, test } from "vitest";
import { mayGain } from "../src/views/drift";

test("a group is offered an adaptation where it drifted or is too small for a verdict, cases without a value never", () => {
  expect(mayGain("scanner", { group: "scanner B", verdict: "drift" })).toBe(true);
  expect(mayGain("scanner", { group: "scanner B", verdict: "too few" })).toBe(true);
  expect(mayGain("scanner", { group: "scanner B", verdict: "none shown" })).toBe(false);
  expect(mayGain("scanner", { group: "no scanner", verdict: "drift" })).toBe(false);
  expect(mayGain("all", { group: "all", verdict: "other images" })).toBe(true);
});
