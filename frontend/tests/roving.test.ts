import { expect, test } from "vitest";
import { stepInRow } from "../src/tools/roving";

const box = (column: number, line: number) => ({ left: 40 * column, top: 40 * line, width: 38, height: 38 });
/** Two columns; the third line has one button, the fourth two. */
const BAR = [box(0, 0), box(1, 0), box(0, 1), box(1, 1), box(0, 2), box(0, 3), box(1, 3)];
const LINE = [box(0, 0), box(1, 0), box(2, 0)];

test("left and right go from one button to the next, and stay at the ends", () => {
  expect([stepInRow(BAR, 1, "ArrowRight"), stepInRow(BAR, 1, "ArrowLeft")]).toEqual([2, 0]);
  expect([stepInRow(LINE, 2, "ArrowRight"), stepInRow(LINE, 0, "ArrowLeft")]).toEqual([2, 0]);
});

test("up and down go to the nearest button of the next line, and stay at the first and last", () => {
  expect([stepInRow(BAR, 1, "ArrowDown"), stepInRow(BAR, 3, "ArrowDown"), stepInRow(BAR, 4, "ArrowDown")]).toEqual([3, 4, 5]);
  expect([stepInRow(BAR, 6, "ArrowUp"), stepInRow(BAR, 3, "ArrowUp"), stepInRow(BAR, 0, "ArrowUp"), stepInRow(BAR, 6, "ArrowDown")]).toEqual([4, 1, 0, 6]);
});

test("Home and End go to the ends", () => {
  expect([stepInRow(BAR, 3, "Home"), stepInRow(BAR, 3, "End")]).toEqual([0, 6]);
});

test("keys that mean nothing in a row are left to the page: up and down in a single line, letters, Enter", () => {
  for (const key of ["ArrowUp", "ArrowDown", "b", "Enter", " ", "PageDown"]) expect(stepInRow(LINE, 1, key)).toBe(null);
});
