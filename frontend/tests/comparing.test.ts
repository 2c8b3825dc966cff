/** Readings compared: what a verdict rests on, choices in order, and nothing decided about what nobody has looked at. */
import { beforeEach, expect, test } from "vitest";
import type { Reading, Readings } from "../src/api/types";
import { Comparison, closeComparison, manner } from "../src/state/comparing";
import { tool } from "../src/state/display";
import { notices } from "../src/state/notices";
import { parse } from "../src/state/router";
import { pressCompareKey } from "../src/tools/comparekeys";
import { headerOf, projectOf, sessionOf } from "./room";
import { takeWire, turn } from "./wire";

const reading = (id: string, annotator: string, more: Partial<Reading> = {}): Reading => ({
  annotation_id: id,
  annotator,
  origin: "human",
  at: "2026-11-03T10:00:00Z",
  tag: null,
  effort_seconds: 10,
  blind: true,
  standing: false,
  labels: [1, 2, 3],
  ...more,
});

const consensus = reading("c", "consensus", { origin: "consensus", standing: true });

function found(readings: Reading[], more: Partial<Readings> = {}): Readings {
  const progress = { state: "in review", words: "in review", read: 2, needed: 2, agreement: 0.5, quality: null } as const;
  return { case_id: "c1", name: "case_012", progress, readings, consensus: null, reviews: [], ...more };
}

function compared(readings = [reading("a", "Ann"), reading("b", "Bob"), consensus]): Comparison {
  const made = new Comparison(sessionOf(null, headerOf([4, 1, 1]), projectOf(), {}, "compare"), found(readings));
  made.masks.value = new Map([
    ["a", Uint8Array.of(1, 1, 0, 0)],
    ["b", Uint8Array.of(0, 0, 2, 2)],
    ["c", Uint8Array.of(0, 0, 0, 0)],
  ]);
  return made;
}

beforeEach(() => {
  notices.value = [];
  manner.value = "overlay";
  tool.value = "navigate";
});

test("a verdict rests on what stands, on every reading, also those that are hidden, and on every verdict so far", () => {
  const made = compared();
  const review = { id: "r1", annotation_id: "c", reviewer: "Rita", verdict: "approve", comment: "", returned_to: null, signature: null, at: "" } as const;
  made.readings.value = found([...made.readings.value.readings], { reviews: [review] });
  expect(made.looked.reviews).toEqual(["r1"]);
  made.readings.value = found([...made.readings.value.readings]);
  made.toggle("a");
  expect(made.looked).toEqual({ annotation_id: "c", readings: ["a", "b"], reviews: [] });
  expect(made.shown.value.map(({ annotation_id: id }) => id)).toEqual(["b"]);
});

test("one choice per label, before the boxes; what stands is chosen by taking the choice back", () => {
  const made = compared();
  made.decideIn({ start: [2, 0, 0], stop: [3, 1, 1] }, "b", null);
  made.chooseFor(1, "b");
  made.chooseFor(1, "a");
  expect(made.rulings.value.map(({ annotation_id: id, box }) => [id, box !== null])).toEqual([
    ["a", false],
    ["b", true],
  ]);
  expect([...made.preview.value!]).toEqual([1, 1, 2, 0]);
  expect(made.changes.value).toEqual([
    { label: 1, added: 2, removed: 0 },
    { label: 2, added: 1, removed: 0 },
  ]);
  made.chooseFor(1, null);
  expect([...made.preview.value!]).toEqual([0, 0, 2, 0]);
});

test("a label that came later is taken from who knew it only", () => {
  const made = compared([reading("a", "Ann", { labels: [1, 2] }), reading("b", "Bob"), consensus]);
  expect(made.knowing(3).map(({ annotator }) => annotator)).toEqual(["Bob"]);
  expect(made.knowing(1)).toHaveLength(2);
});

test("there is no preview while a chosen mask is on its way", () => {
  const made = compared();
  made.masks.value = new Map([["c", new Uint8Array(4)]]);
  made.chooseFor(1, "a");
  expect(made.preview.value).toBeNull();
});

test("two presses are one verdict, and what changed meanwhile is said and loaded again", async () => {
  const made = compared();
  made.chooseFor(1, "a");
  const fresh = found([reading("b", "Bob"), reading("e", "Eva", { standing: true })]);
  const asked = takeWire(({ method, path }) => {
    if (method === "POST") return { status: 409, json: { error: { code: "conflict", message: "case_012 has other readings by now", remedy: "" } } };
    return { json: path.endsWith("/readings") ? fresh : [] };
  });
  const { approve } = await import("../src/api/calls");
  const press = (): Promise<boolean> => made.act(() => approve("p1", "c1", { ...made.looked }), "Approved.");
  expect(await Promise.all([press(), press()])).toEqual([true, false]);
  await turn();
  expect(asked.filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(asked.find(({ method }) => method === "POST")!.body).toMatchObject({ annotation_id: "c", readings: ["a", "b"] });
  expect(notices.value.map(({ message }) => message)).toContain("Nothing was decided: case_012 has other readings by now");
  expect(made.outcome.value).toBe("");
  expect(made.readers.map(({ annotator }) => annotator)).toEqual(["Bob", "Eva"]);
  expect(made.rulings.value).toEqual([]);
});

test("a verdict that nobody answered can be tried again as it is", async () => {
  const made = compared();
  made.chooseFor(1, "a");
  globalThis.fetch = () => Promise.reject(new TypeError("no network"));
  const { approve } = await import("../src/api/calls");
  expect(await made.act(() => approve("p1", "c1", { ...made.looked }), "Approved.")).toBe(false);
  expect(made.refused.value).toContain("The server does not respond");
  expect(made.rulings.value).toHaveLength(1);
  expect(made.busy.value).toBe(false);
});

test("what the reviewer says and how long it took belong to one verdict, and are kept until it is given", async () => {
  const made = compared();
  const answers = [
    { status: 409, json: { error: { code: "conflict", message: "case_012 has another verdict by now", remedy: "" } } },
    { status: 409, json: { error: { code: "wrong_state", message: "You have approved this annotation already", remedy: "" } } },
    { json: {} },
  ];
  takeWire(({ method, path }) => (method === "POST" ? answers.shift()! : { json: path.endsWith("/readings") ? found([reading("a", "Ann")]) : [] }));
  const { approve } = await import("../src/api/calls");
  const press = (): Promise<boolean> => made.act(() => approve("p1", "c1", { comment: made.comment.value, effort: made.effort }), "Approved.");
  made.comment.value = "the lower edge";
  made.session.effort.beat(performance.now() + 5000);
  await press();
  await press();
  expect(made.comment.value).toBe("the lower edge");
  expect(made.effort.active_seconds).toBeGreaterThanOrEqual(5);
  expect(notices.value.map(({ message }) => message)).toEqual([
    "Nothing was decided: case_012 has another verdict by now",
    "You have approved this annotation already",
  ]);
  const before = made.effort.session;
  await press();
  expect(made.comment.value).toBe("");
  expect(made.effort.active_seconds).toBeLessThan(5);
  expect(made.effort.session).not.toBe(before);
});

test("keys show and hide readers, change the manner and never leave choices behind", () => {
  const made = compared();
  const left: string[] = [];
  const press = (key: string, code = ""): boolean =>
    pressCompareKey({ key, code, repeat: false, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false } as KeyboardEvent, {
      found: made,
      leave: () => left.push("leave"),
      press: (name) => left.push(name),
      lacks: () => "",
    });
  press("1", "Digit1");
  expect(made.hidden.value).toEqual(new Set(["a"]));
  expect(press("9", "Digit9")).toBe(false);
  press("v");
  press("v");
  expect(manner.value).toBe("map");
  press("v");
  expect(manner.value).toBe("overlay");
  press("a");
  made.chooseFor(1, "a");
  press("z");
  expect(tool.value).toBe("region");
  press("Escape");
  press("Escape");
  expect(left).toEqual(["approve"]);
  expect(notices.value.at(-1)!.message).toBe("Your adjudication is not accepted yet");
  made.rulings.value = [];
  press("Escape");
  expect(left).toEqual(["approve", "leave"]);
  closeComparison(made);
  expect(made.session.closed).toBe(true);
});

test("review, one case, its edit and the team have addresses", () => {
  expect(parse("#/p/x/review")).toEqual({ view: "review", project: "x" });
  expect(parse("#/p/x/review/c1")).toEqual({ view: "readings", project: "x", caseId: "c1" });
  expect(parse("#/p/x/review/c1/edit")).toEqual({ view: "edit", project: "x", caseId: "c1" });
  expect(parse("#/p/x/team")).toEqual({ view: "team", project: "x" });
});

test("a method that is sure everywhere does not hide that its readers differ", () => {
  const made = compared();
  expect(made.mapKind.value).toBe("readers");
  expect([...made.map.value]).toEqual([255, 255, 255, 255]);
  made.entropy.value = Uint8Array.of(0, 0, 1, 0);
  expect(made.mapKind.value).toBe("readers");
  made.mapChosen.value = "entropy";
  expect([...made.map.value]).toEqual([0, 0, 1, 0]);
  made.mapChosen.value = null;
  made.entropy.value = Uint8Array.of(0, 0, 200, 0);
  expect(made.mapKind.value).toBe("entropy");
});
