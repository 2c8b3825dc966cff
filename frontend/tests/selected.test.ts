import { expect, test } from "vitest";
import { selectedWords } from "../src/views/selected";

const estimate = { model_index: 3, mean: 0.812, low: 0.75, high: 0.861, note: "", cases: 24, patients: 24, pool: 310, plain: 0.701, warning: "" };

test("the estimate stands beside the plain mean and the audit sample", () => {
  const selected = { estimate, split: "audit", audit: 0.8, audit_low: 0.7, audit_high: 0.9, basis: "audit cases", warning: "" };
  expect(selectedWords(selected)).toBe(
    "Over the pool: model 3 has 0.812 (0.750 to 0.861), by 24 of 310 cases, drawn and weighted by their chances; their plain mean, " +
      "which their choice biases, is 0.701. On audit cases it has 0.800 (0.700 to 0.900). The advice goes by audit cases.",
  );
});

test("without an estimate it says why", () => {
  const nothing = { ...estimate, mean: null, low: null, high: null, plain: null, note: "the strategy entropy leaves no other case a chance" };
  const selected = { estimate: nothing, split: "", audit: null, audit_low: null, audit_high: null, basis: "", warning: "" };
  expect(selectedWords(selected)).toBe("Over the pool: the strategy entropy leaves no other case a chance.");
});
