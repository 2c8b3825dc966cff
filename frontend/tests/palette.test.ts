import { beforeEach, describe, expect, test } from "vitest";
import * as display from "../src/state/display";
import { prefer, preferences } from "../src/state/preferences";
import { changeKey, chordOf, isOwn, refusalOfKey, resetKey } from "../src/tools/keychanges";
import { actionsOf, press, refusalOf } from "../src/tools/keys";
import type { KeyEntry } from "../src/tools/keytable";
import { type ActionId, ENTRIES, fullKey, isFixed } from "../src/tools/keytables";
import { found, type Offer, offersOf } from "../src/tools/palette";
import { headerOf, projectOf, sessionOf } from "./room";

const entry = (id: ActionId): KeyEntry => ENTRIES.find((one) => one.id === id)!;
const event = (key: string, more: Partial<KeyboardEvent> = {}): KeyboardEvent =>
  ({ key, code: "", shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more }) as KeyboardEvent;

function offers(kind: "segmentation" | "classification" = "segmentation"): Offer[] {
  const session = sessionOf(new Uint8Array(120), headerOf([4, 5, 6]), projectOf(kind));
  return offersOf(actionsOf(session), { session, openDialog: () => undefined, leave: () => undefined }, { why: refusalOf, press });
}

const named = (id: string, from = offers()): Offer => from.find((offer) => offer.id === id)!;

beforeEach(() => {
  prefer({ keys: {}, introduced: false });
  display.tool.value = "navigate";
});

describe("the palette", () => {
  test("finds actions by any of their words, in any order, those that begin so first", () => {
    expect(found(offers(), "slices fill").map(({ id }) => id)).toEqual(["fill-between"]);
    expect(found(offers(), "brush")[0]!.id).toBe("brush");
    expect(found(offers(), "no such thing")).toEqual([]);
  });

  test("has every action that there is in the case, but those of the mouse alone", () => {
    const session = sessionOf(new Uint8Array(120), headerOf([4, 5, 6]));
    const scene = { session, openDialog: () => undefined, leave: () => undefined };
    const ids = new Set(offers().map(({ id }) => id.replace(/-\d$/, "")));
    const lacking = actionsOf(session).filter(({ id, run, on }) => run && on?.(scene) !== false && !ids.has(id));
    expect(lacking).toEqual([]);
    expect(ids.has("fill-between")).toBe(true);
  });

  test("says which digit does what, and does it", () => {
    const offer = named("label-2");
    expect([offer.words, offer.key]).toEqual(["Choose the label: two", "2"]);
    expect(named("class-3", offers("classification")).words).toBe("Choose the class: three");
    named("brush").run();
    expect(display.tool.value).toBe("brush");
  });

  test("says why something cannot be done now", () => {
    expect([named("undo").why, named("brush").why]).toEqual(["There is nothing to undo", ""]);
  });

  test("shows the keys that somebody chose", () => {
    changeKey(entry("brush"), "Alt+Z");
    expect(named("brush").key).toBe("Alt + Z");
  });
});

describe("keys of one's own", () => {
  test("take the place of those of the table, until they are reset", () => {
    expect(changeKey(entry("brush"), "Alt+Z")).toBe("");
    expect([fullKey("brush"), isOwn(entry("brush"))]).toEqual(["Alt + Z", true]);
    expect(resetKey(entry("brush"))).toBe("");
    expect([fullKey("brush"), preferences.value.keys]).toEqual(["B", {}]);
  });

  test("are refused where another action of the same view has them, in words", () => {
    expect(changeKey(entry("brush"), "E")).toBe("“E” is the key of “Eraser”: change that one first");
    expect(changeKey(entry("crosshair"), "A")).toContain("“A” is the key of");
    expect(changeKey(entry("list-search"), "B")).toBe("");
    expect(changeKey(entry("list-search"), "Ctrl+K")).toContain("Find an action");
    expect(fullKey("brush")).toBe("B");
  });

  test("are free again once the action that had them has others, and cannot be reset onto it", () => {
    changeKey(entry("eraser"), "Alt+Z");
    expect(changeKey(entry("brush"), "E")).toBe("");
    expect(resetKey(entry("eraser"))).toBe("“E” is the key of “Brush (Ctrl + drag erases)”: change that one first");
    expect(resetKey(entry("brush"))).toBe("");
    expect(resetKey(entry("eraser"))).toBe("");
  });

  test("are no digits, and none that the browser needs", () => {
    expect(refusalOfKey(entry("brush"), "3")).toContain("Digits");
    expect(refusalOfKey(entry("brush"), "Shift+3")).toContain("Digits");
    expect(refusalOfKey(entry("brush"), "Ctrl+W")).toContain("browser");
    expect(refusalOfKey(entry("submit"), "Enter")).toBe("");
    expect([isFixed(entry("label")), isFixed(entry("leave")), isFixed(entry("pan")), isFixed(entry("brush"))]).toEqual([true, true, true, false]);
  });

  test("are named as they are pressed, whatever the layout", () => {
    expect([chordOf(event("Shift")), chordOf(event("и", { code: "KeyB" })), chordOf(event("?", { code: "Slash", shiftKey: true }))]).toEqual([null, "B", "?"]);
  });
});

test("what a browser kept damaged is as if nothing was kept", async () => {
  const kept = new Map([["medloop.preferences", JSON.stringify('{"keys": {"brush": "B", "eraser": ["X1"]}, "introduced": 1}')]]);
  (globalThis as { localStorage?: unknown }).localStorage = { getItem: (key: string) => kept.get(key) ?? null, setItem: () => undefined };
  const { vi } = await import("vitest");
  vi.resetModules();
  const fresh = await import("../src/state/preferences");
  expect(fresh.preferences.value).toEqual({ keys: { eraser: ["X1"] }, introduced: false });
});
