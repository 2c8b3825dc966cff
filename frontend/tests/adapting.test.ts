import { expect, test } from "vitest";
import type { Job } from "../src/api/types";
import { groupOf, standing } from "../src/views/adapt";

const job = (fields: Partial<Job>): Job => ({ state: "queued", message: "", error: "", result_message: "", ...fields }) as Job;

test("a group of the report is sent as its column and its value, and cases without one cannot be adapted to", () => {
  expect(groupOf("scanner", "scanner B")).toEqual({ by: "scanner", value: "B" });
  expect(groupOf("site", "site two words")).toEqual({ by: "site", value: "two words" });
  expect(groupOf("scanner", "no scanner")).toBeNull();
  expect(groupOf("all", "all")).toEqual({ by: "all", value: "" });
});

test("what came of an adaptation is said in the server's words, a failure too", () => {
  expect(standing(undefined)).toBe("");
  expect(standing(job({}))).toBe("Waiting for the worker…");
  expect(standing(job({ state: "running", message: "minimising entropy" }))).toBe("minimising entropy…");
  expect(standing(job({ state: "failed", error: "too few" }))).toBe("Nothing was made: too few");
  expect(standing(job({ state: "done", result_message: "model 2 is model 1 for scanner B" }))).toBe("model 2 is model 1 for scanner B");
});
