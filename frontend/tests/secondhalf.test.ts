/** The second half of a double click on what went away with the first. */
import { expect, test } from "vitest";
import { isByKey, isSecondHalf } from "../src/browser/secondhalf";

const gone = (isConnected: boolean, closed = false) => ({ isConnected, matches: () => closed }) as unknown as Element;
const first = { at: 1000, x: 50, y: 60 };
const press = (timeStamp: number, clientX = 50, clientY = 60) => ({ timeStamp, clientX, clientY });

test("falls on nothing where a message or dialog was a moment ago", () => {
  expect(isSecondHalf({ ...first, of: gone(false) }, press(1200))).toBe(true);
  expect(isSecondHalf({ ...first, of: gone(true, true) }, press(1200))).toBe(true);
});

test("counts where what was pressed is still there, later, elsewhere, or where nothing passing was pressed", () => {
  expect(isSecondHalf({ ...first, of: gone(true) }, press(1200))).toBe(false);
  expect(isSecondHalf({ ...first, of: gone(false) }, press(1500))).toBe(false);
  expect(isSecondHalf({ ...first, of: gone(false) }, press(1200, 59))).toBe(false);
  expect(isSecondHalf({ ...first, of: null }, press(1200))).toBe(false);
  expect(isSecondHalf(null, press(1200))).toBe(false);
});

test("is never a key's: a click by key has no place", () => {
  expect(isByKey({ type: "click", detail: 0 })).toBe(true);
  expect(isByKey({ type: "click", detail: 1 })).toBe(false);
  expect(isByKey({ type: "pointerdown", detail: 0 })).toBe(false);
});
