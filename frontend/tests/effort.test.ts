import { expect, test } from "vitest";
import { EffortTimer } from "../src/edits/effort";

test("steady work counts in full", () => {
  const timer = new EffortTimer(0);
  for (let second = 1; second <= 90; second++) timer.beat(second * 1000);
  expect(timer.seconds(90_000)).toBe(90);
});

test("a pause of more than a minute does not count", () => {
  const timer = new EffortTimer(0);
  timer.beat(10_000);
  timer.beat(610_000);
  timer.beat(615_000);
  expect(timer.seconds(615_000)).toBe(15);
});

test("looking at the image without touching anything counts for up to a minute", () => {
  const timer = new EffortTimer(0);
  expect(timer.seconds(60_000)).toBe(60);
  expect(timer.seconds(60_001)).toBe(0);
});

test("goes on from what an earlier visit took, and never backwards", () => {
  const timer = new EffortTimer(5000, 42);
  timer.beat(4000);
  expect(timer.seconds(4000)).toBe(42);
});
