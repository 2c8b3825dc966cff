import { expect, test } from "vitest";
import { EffortTimer } from "../src/edits/effort";

test("steady work counts in full", () => {
  const timer = new EffortTimer(0);
  for (let second = 1; second <= 90; second++) timer.beat(second * 1000);
  expect(timer.seconds(90_000)).toBe(90);
});

test("of a pause only the first minute counts", () => {
  const timer = new EffortTimer(0);
  timer.beat(10_000);
  timer.beat(610_000);
  timer.beat(615_000);
  expect(timer.seconds(615_000)).toBe(75);
});

test("looking at the image without touching anything counts for up to a minute", () => {
  const timer = new EffortTimer(0);
  expect(timer.seconds(60_000)).toBe(60);
  expect(timer.seconds(3_600_000)).toBe(60);
  timer.beat(3_600_000);
  expect(timer.seconds(3_600_000)).toBe(60);
});

test("never runs backwards, whatever happens when", () => {
  const timer = new EffortTimer(0);
  let before = 0;
  for (let now = 0, step = 1; now < 2_000_000; now += step, step = (step * 7919) % 90_001) {
    if (step % 3 === 0) timer.beat(now);
    if (step % 5 === 0) timer.beat(now - 20_000);
    expect(timer.seconds(now)).toBeGreaterThanOrEqual(before);
    before = timer.seconds(now);
  }
});

test("goes on from what an earlier visit took, and never backwards", () => {
  const timer = new EffortTimer(5000, 42);
  timer.beat(4000);
  expect(timer.seconds(4000)).toBe(42);
});
