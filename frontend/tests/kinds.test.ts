import { beforeEach, expect, test } from "vitest";
import { tool } from "../src/state/display";
import { asksForMarks, takeToolFor } from "../src/state/kinds";

beforeEach(() => {
  takeToolFor("");
  tool.value = "brush";
});

test("a proposal that is only checked cannot be drawn over, and the tool in hand comes back after it", () => {
  takeToolFor("verify");
  expect(tool.value).toBe("navigate");
  takeToolFor("verify");
  takeToolFor("slices");
  expect(tool.value).toBe("brush");
});

test("a tool taken meanwhile stays", () => {
  takeToolFor("verify");
  tool.value = "polygon";
  takeToolFor("");
  expect(tool.value).toBe("polygon");
});

test("marks come with their own tool, one kind after the other, and the tool in hand comes back after them", () => {
  takeToolFor("scribbles");
  expect(tool.value).toBe("scribble");
  takeToolFor("boxes");
  expect(tool.value).toBe("box");
  takeToolFor("tags");
  expect(tool.value).toBe("navigate");
  takeToolFor("regions");
  expect(tool.value).toBe("brush");
  expect((["", "whole", "verify", "marks", "scribbles", "boxes", "tags"] as const).map(asksForMarks)).toEqual([false, false, false, true, true, true, true]);
});

test("whoever only navigated goes on navigating", () => {
  tool.value = "navigate";
  takeToolFor("verify");
  takeToolFor("whole");
  expect(tool.value).toBe("navigate");
});
