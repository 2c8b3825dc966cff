import { beforeEach, expect, test } from "vitest";
import type { CaseLine } from "../src/api/types";
import { EVERYTHING, everyCase, type Filters, filtersOf, narrowings, ofDomain, queryOf, sortedBy } from "../src/state/filters";
import { parse } from "../src/state/router";
import { inView, PART, Slots, WorkRows } from "../src/state/workrows";
import { leftWords } from "../src/views/bulk";
import { type Asked, takeWire, turn } from "./wire";

const line = (n: number): CaseLine => ({ id: `case-${n}`, name: `c${n}` }) as CaseLine;

test("filters go into the address and come back, and what is as usual is left out", () => {
  const filters: Filters = {
    ...EVERYTHING,
    state: "flagged",
    search: "a&b=c?#/ é",
    sort: "quality",
    descending: true,
    by_round: true,
    acquisition: "acquire again",
  };
  expect(filtersOf(queryOf(filters))).toEqual(filters);
  expect(queryOf(EVERYTHING)).toBe("");
  expect(parse(`#/p/x%20y?${queryOf(filters)}`)).toEqual({ view: "worklist", project: "x y", query: queryOf(filters) });
  expect(parse("#/p/100%/case/c1")).toEqual({ view: "annotate", project: "100%", caseId: "c1" }); // cut or typed, and no reason for a blank page
  expect(parse(`#/p/x/grid?state=unlabelled`)).toEqual({ view: "grid", project: "x", query: "state=unlabelled" });
});

test("an empty list names every filter that is set, and lifts them without losing its order", () => {
  const labels = [{ value: 2, name: "spleen" }];
  const filters: Filters = { ...EVERYTHING, lacks: "2", acquisition: "acquire again", sort: "quality", descending: true };
  expect(narrowings(filters, labels)).toEqual(["lacks: spleen", "acquisition: acquire again"]);
  expect(everyCase(filters)).toEqual({ ...EVERYTHING, sort: "quality", descending: true });
  expect(narrowings({ ...EVERYTHING, lacks: "0" }, labels)).toEqual(["lacks: any label"]);
  expect(narrowings(everyCase(filters), labels)).toEqual([]);
});

test("an address that says something unknown shows everything", () => {
  expect(filtersOf("state=nonsense&sort=__proto__&reading=1&descending=yes&other=1")).toEqual(EVERYTHING);
});

test("a second press on a column turns its order round, one on another begins anew", () => {
  const once = sortedBy(EVERYTHING, "quality");
  expect([once.sort, once.descending]).toEqual(["quality", false]);
  expect(sortedBy(once, "quality").descending).toBe(true);
  expect(sortedBy(sortedBy(once, "quality"), "split")).toMatchObject({ sort: "split", descending: false });
});

test("heads of rounds stand before their cases, and every case has one slot", () => {
  const rounds = [
    { round: 2, cases: 3 },
    { round: 1, cases: 1 },
    { round: null, cases: 2 },
  ];
  const slots = new Slots(rounds, 6);
  const all = Array.from({ length: slots.count }, (_, n) => slots.at(n));
  expect(all.filter((slot) => !("row" in slot))).toEqual(rounds);
  expect(all.flatMap((slot) => ("row" in slot ? [slot.row] : []))).toEqual([0, 1, 2, 3, 4, 5]);
  expect([0, 1, 2, 3, 4, 5].map((row) => slots.at(slots.of(row)))).toEqual([0, 1, 2, 3, 4, 5].map((row) => ({ row })));
  expect(new Slots([], 6).at(5)).toEqual({ row: 5 });
});

test("of a long list what is in view is drawn, and some on either side", () => {
  expect(inView(0, 520, 52, 20_000, 5)).toEqual([0, 15]);
  expect(inView(52_000, 520, 52, 20_000, 5)).toEqual([995, 1015]);
  expect(inView(1e9, 520, 52, 100, 5)).toEqual([100, 100]);
  expect(inView(-300, 520, 52, 100, 5)).toEqual([0, 10]);
});

test("cases that were not given are named with the reason, the first three", () => {
  const left = [1, 2, 3, 4, 5].map((n) => ({ case: `c${n}`, why: "read" }));
  expect(leftWords(left)).toBe("c1: read; c2: read; c3: read; and 2 more");
  expect(leftWords([])).toBe("");
});

let asked: Asked[] = [];
const queries = (): Record<string, string>[] => asked.map(({ path }) => Object.fromEntries(new URL(path, "http://x").searchParams));

beforeEach(() => {
  asked = takeWire(({ path }) => {
    const query = new URL(path, "http://x").searchParams;
    const from = (query.get("after") ? Number(query.get("after")) : 0) + Number(query.get("offset") ?? 0);
    const limit = Number(query.get("limit"));
    const rows = Array.from({ length: Math.max(0, Math.min(limit, 950 - from)) }, (_, n) => line(from + n));
    return { json: { total: 950, rows, cursor: from + limit < 950 ? String(from + limit) : "", rounds: [] } };
  });
});

test("parts that follow each other go on behind a cursor, one far away by its distance from the nearest", async () => {
  const rows = new WorkRows("p", EVERYTHING);
  rows.show(0, 20);
  await turn();
  rows.show(90, 120);
  await turn();
  rows.show(700, 720);
  await turn();
  expect(queries().map(({ after, offset }) => [after, offset])).toEqual([
    ["", "0"],
    [String(PART), "0"],
    [String(2 * PART), String(5 * PART)],
  ]);
  expect([rows.row(20)?.id, rows.row(150)?.id, rows.row(710)?.id, rows.row(500)]).toEqual(["case-20", "case-150", "case-710", undefined]);
});

test("what is here is not fetched again, until something changed: then what is on the screen is", async () => {
  const rows = new WorkRows("p", EVERYTHING);
  rows.show(0, 20);
  rows.show(5, 25);
  await turn();
  rows.show(300, 310);
  await turn();
  rows.refresh();
  await turn();
  expect(queries().map(({ offset }) => offset)).toEqual(["0", "200", "300"]);
  expect([rows.row(305)?.id, rows.row(5)]).toEqual(["case-305", undefined]);
});

test("all ids are gathered part by part", async () => {
  expect((await new WorkRows("p", { ...EVERYTHING, state: "flagged" }).ids()).length).toBe(950);
  expect(queries()[0]).toMatchObject({ state: "flagged", limit: "1000" });
});

test("cases compared with the judged ones are listed with the least like first, and by name again without", () => {
  expect(queryOf({ ...EVERYTHING, ...ofDomain("outside") })).toBe("sort=domain&domain=outside");
  expect({ ...EVERYTHING, ...ofDomain("outside"), ...ofDomain("any") }).toEqual(EVERYTHING);
});
