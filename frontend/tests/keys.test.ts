import { beforeEach, describe, expect, test } from "vitest";
import * as display from "../src/state/display";
import { lostKeysOf, prefer } from "../src/state/preferences";
import type { CaseSession } from "../src/state/session";
import { chordsOf, written, writtenOut } from "../src/tools/keynames";
import { pressKey } from "../src/tools/keys";
import { ENTRIES, howTo, VIEWS, withKey } from "../src/tools/keytables";
import { headerOf, presetOf, projectOf, sessionOf } from "./room";

const CTRL = { ctrlKey: true };
const SHIFT = { shiftKey: true };

function event(key: string, code: string, more: Partial<KeyboardEvent> = {}): KeyboardEvent {
  return { key, code, repeat: false, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more } as KeyboardEvent;
}

function press(session: CaseSession, key: string, code: string, more: Partial<KeyboardEvent> = {}): boolean {
  return pressKey(event(key, code, more), { session, openDialog: () => undefined, leave: () => undefined });
}

const drawing = (): CaseSession => sessionOf(new Uint8Array(120), headerOf([4, 5, 6]));

beforeEach(() => {
  prefer({ keys: {} });
  display.tool.value = "navigate";
});

describe("a press", () => {
  test("is named by what is printed where that is Latin: AZERTY and QWERTZ letters stay what they say", () => {
    expect(chordsOf(event("a", "KeyQ"))).toEqual(["A"]);
    expect(chordsOf(event("z", "KeyY", CTRL))).toEqual(["Ctrl+Z"]);
    expect(chordsOf(event("Z", "KeyY", { ...CTRL, ...SHIFT }))).toEqual(["Ctrl+Shift+Z"]);
  });

  test("is named by its place where another script is printed, or none", () => {
    expect(chordsOf(event("и", "KeyB"))).toEqual(["B"]);
    expect(chordsOf(event("У", "KeyE", SHIFT))).toEqual(["Shift+E"]);
    expect(chordsOf(event("ζ", "KeyZ", CTRL))).toEqual(["Ctrl+Z"]);
    expect(chordsOf(event("Dead", "BracketLeft"))).toEqual(["["]);
    expect(chordsOf(event("ü", "BracketLeft"))).toEqual(["["]);
    expect(chordsOf(event("ю", "Period"))).toEqual(["."]);
  });

  test("on the row of digits is the digit, whatever is printed there; a sign that Shift prints goes first", () => {
    expect(chordsOf(event("é", "Digit2"))[0]).toBe("2");
    expect(chordsOf(event("-", "Digit6"))[0]).toBe("6");
    expect(chordsOf(event("6", "Digit6", SHIFT))[0]).toBe("Shift+6");
    expect(chordsOf(event("/", "Digit7", SHIFT))).toEqual(["/", "Shift+7"]);
    expect(chordsOf(event("?", "Digit7", SHIFT))[0]).toBe("?");
    expect(chordsOf(event("End", "Numpad1", SHIFT))[0]).toBe("Shift+1");
  });

  test("with AltGr is the sign that it prints", () => {
    const graph = { ctrlKey: true, altKey: true, getModifierState: (name: string) => name === "AltGraph" };
    expect(chordsOf(event("[", "Digit8", graph as Partial<KeyboardEvent>))).toContain("[");
  });

  test("of a sign that shares its key with another one means that one, too", () => {
    expect(chordsOf(event("=", "Equal"))).toContain("+");
    expect(chordsOf(event("<", "Comma", SHIFT))).toContain(",");
  });
});

describe("the keys of a case", () => {
  test("draw with a Cyrillic layout, and choose and hide labels", () => {
    const session = drawing();
    press(session, "и", "KeyB");
    expect(display.tool.value).toBe("brush");
    press(session, "У", "KeyE", SHIFT);
    expect(display.tool.value).toBe("push");
    press(session, "2", "Digit2");
    press(session, "Р", "KeyH", SHIFT);
    expect([session.label.value, [...session.hidden.value]]).toEqual([2, [2]]);
  });

  test("go on to what the place means where the sign printed there means nothing", () => {
    const session = sessionOf(null, headerOf([4, 5, 6], { channel_presets: [[presetOf("Auto", 0, 100), presetOf("Second", 1, 2)]] }));
    press(session, "@", "Digit2", SHIFT);
    expect(session.window.value).toMatchObject({ low: 1, high: 2 });
  });

  test("that somebody chose hold in place of those of the table", () => {
    const session = drawing();
    prefer({ keys: { brush: ["Shift+B"] } });
    expect(press(session, "b", "KeyB")).toBe(false);
    expect(press(session, "B", "KeyB", SHIFT)).toBe(true);
    expect([display.tool.value, withKey("Brush", "brush")]).toEqual(["brush", "Brush (Shift + B)"]);
    const lasso = ENTRIES.find(({ id }) => id === "freehand")!;
    expect([howTo(lasso), withKey("Lasso", "freehand"), lostKeysOf(lasso).map(({ to }) => to.id)]).toEqual(["", "Lasso", ["brush"]]);
  });

  test("are those of the table where what is kept as one's own cannot be: digits, Esc, keys of the browser", () => {
    prefer({ keys: { brush: ["2"], eraser: ["Tab"], leave: ["F2"], label: ["B"] } });
    expect([withKey("", "brush"), withKey("", "eraser"), withKey("", "leave"), withKey("", "label")]).toEqual([" (B)", " (E)", " (Esc)", " (1 … 9)"]);
  });

  test("act once while held, unless they only move the view", () => {
    const session = sessionOf(null, headerOf([4, 5, 6]), projectOf("classification"));
    expect(press(session, "x", "KeyX", { repeat: true })).toBe(false);
    expect(press(session, "ArrowDown", "ArrowDown", { repeat: true })).toBe(true);
  });
});

describe("the tables", () => {
  test("name every action once", () => {
    const ids = ENTRIES.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
  });

  test("give no key two meanings in one view", () => {
    for (const view of VIEWS) {
      const keys = view.flatMap((entry) => entry.keys);
      expect(keys).toEqual([...new Set(keys)]);
    }
  });

  test("are written as readers know keys", () => {
    expect([writtenOut("Ctrl+Shift+Z"), writtenOut("+"), written("Shift+ArrowDown"), written("Ctrl+Z")]).toEqual(["Ctrl + Shift + Z", "+", "⇧↓", "⌃Z"]);
  });
});
