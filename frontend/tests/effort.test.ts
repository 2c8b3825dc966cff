import { beforeEach, expect, test } from "vitest";
import { EffortTimer, PAUSE_SECONDS } from "../src/edits/effort";
import { earlierSeconds, keepEffort, reportEffort, sendLeftEffort, yieldTo } from "../src/state/effort";
import { headerOf, sessionOf } from "./room";
import { type Asked, type Reply, takeStorage, takeWire } from "./wire";

const active = (timer: EffortTimer, now: number): number => timer.report(now, true).active_seconds;
const idle = (timer: EffortTimer, now: number): number => timer.report(now, true).idle_seconds ?? 0;

test("steady work counts in full", () => {
  const timer = new EffortTimer(0);
  for (let second = 1; second <= 90; second++) timer.beat(second * 1000);
  expect([active(timer, 90_000), idle(timer, 90_000)]).toEqual([90, 0]);
});

test("of a pause only the first half minute counts, the rest is idle", () => {
  const timer = new EffortTimer(0);
  timer.beat(10_000);
  timer.beat(610_000);
  timer.beat(615_000);
  expect([active(timer, 615_000), idle(timer, 615_000)]).toEqual([10 + PAUSE_SECONDS + 5, 600 - PAUSE_SECONDS]);
});

test("a hidden page over lunch is not work", () => {
  const timer = new EffortTimer(0);
  timer.beat(10_000);
  timer.leave(12_000);
  expect(active(timer, 3_612_000)).toBe(12);
  timer.beat(3_612_000);
  expect([active(timer, 3_612_000), idle(timer, 3_612_000)]).toEqual([12, 3600]);
});

test("a clock that stands still or goes back takes nothing away", () => {
  const timer = new EffortTimer(5000);
  timer.beat(8000);
  timer.beat(1000);
  timer.leave(2000);
  timer.beat(2000);
  expect([active(timer, 1000), idle(timer, 1000)]).toEqual([3, 0]);
});

test("active and idle seconds are all the time there was, whatever happens when", () => {
  const timer = new EffortTimer(0);
  let before = 0;
  for (let now = 0, step = 1; now < 2_000_000; now += step, step = (step * 7919) % 90_001) {
    if (step % 3 === 0) timer.beat(now);
    if (step % 5 === 0) timer.beat(now - 20_000);
    if (step % 7 === 0) timer.leave(now);
    expect(timer.seconds(now)).toBeGreaterThanOrEqual(before);
    expect(Math.abs(active(timer, now) + idle(timer, now) - now / 1000)).toBeLessThan(0.11);
    before = timer.seconds(now);
  }
});

test("what was done is counted, slices once, and the first change has its time", () => {
  const timer = new EffortTimer(1000, 42, "tab-1");
  for (const slice of [3, 4, 3]) timer.sees(2, slice);
  timer.sees(0, 3);
  timer.did("undos", 2000);
  timer.did("prompts", 3500);
  timer.did("strokes", 6000);
  expect(timer.report(6000, true)).toEqual({
    session: "tab-1",
    active_seconds: 5,
    idle_seconds: 0,
    first_stroke_seconds: 2.5,
    strokes: 1,
    prompts: 1,
    undos: 1,
    slices_viewed: 3,
    ago_seconds: 5,
  });
  expect(timer.seconds(6000)).toBe(47);
  expect(timer.report(6000, false)).not.toHaveProperty("strokes");
  timer.startOver(7000, "tab-2");
  expect(timer.report(7000, true)).toMatchObject({ session: "tab-2", active_seconds: 0, strokes: 0, slices_viewed: 0 });
});

let asked: Asked[];
let reply: Reply;
let kept: Map<string, string>;
beforeEach(() => {
  reply = { json: { active_seconds: 1 } };
  asked = takeWire(() => reply);
  kept = takeStorage();
});

const session = () => sessionOf(new Uint8Array(81), headerOf([9, 9, 1]));
const left = (more: object = {}): string =>
  JSON.stringify({
    project: "p1",
    assignment: "a1",
    person: "local",
    report: { session: "gone-1", active_seconds: 20 },
    sent: 5,
    at: Date.now() - 9000,
    ...more,
  });

test("what an earlier load of the page left is sent once, with how long ago it was", async () => {
  kept.set("medloop.work.a1.gone-1", left());
  expect(earlierSeconds("a1", 100)).toBe(115);
  expect(earlierSeconds("a2", 7)).toBe(7);
  await sendLeftEffort();
  await sendLeftEffort();
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(["PUT /api/v1/projects/p1/assignments/a1/effort"]);
  expect(asked[0]!.body!.ago_seconds).toBeGreaterThanOrEqual(9);
  expect(kept.size).toBe(0);
});

test("a wall clock that was set back or far ahead is no reason to lose work", async () => {
  kept.set("medloop.work.a1.gone-1", left({ at: Date.now() + 1e12 }));
  kept.set("medloop.work.a1.gone-2", left({ at: 0 }));
  await sendLeftEffort();
  expect(asked.map(({ body }) => body!.ago_seconds)).toEqual([0, 2_678_400]);
});

test("without a connection work stays here; where the case is gone it goes, too", async () => {
  kept.set("medloop.work.a1.gone-1", left());
  reply = { status: 503, json: { error: { code: "busy", message: "later", remedy: "" } } };
  await sendLeftEffort();
  expect(kept.size).toBe(1);
  reply = { status: 404, json: { error: { code: "not_found", message: "no", remedy: "" } } };
  await sendLeftEffort();
  expect(kept.size).toBe(0);
});

test("what is no report is left alone", async () => {
  for (const [n, text] of ["", "{", "null", "7", '{"report":{}}'].entries()) kept.set(`medloop.work.a1.gone-${n}`, text);
  await sendLeftEffort();
  expect([asked, earlierSeconds("a1", 3)]).toEqual([[], 3]);
});

test("a case that is left reports itself and keeps only what the server lacks", async () => {
  const open = session();
  open.effort.beat(performance.now() + 20_000);
  keepEffort(open);
  open.closed = true;
  await reportEffort(open);
  expect(asked).toHaveLength(1);
  expect(kept.size).toBe(0);
});

test("another window that is worked in stops the clock here", () => {
  const open = session();
  const now = performance.now();
  yieldTo(open, { key: "medloop.working", newValue: "other" } as StorageEvent);
  expect(open.effort.seconds(now + 25_000)).toBeCloseTo(open.effort.seconds(now), 3);
});
