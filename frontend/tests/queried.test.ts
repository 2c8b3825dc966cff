/** Slices and boxes that are queried: opening leads to the middle of one. */
import { expect, test } from "vitest";
import { lookAtPart } from "../src/state/opening";
import { headerOf, projectOf, sessionOf } from "./room";
import { planeOf } from "./scene";

const planes = [planeOf(2, 0, 1, false, false), planeOf(1, 0, 2, false, false)];
const session = sessionOf(null, headerOf([8, 9, 10], { planes }), projectOf(), {
  parts: [
    { axis: 2, index: 7 },
    { start: [2, 0, 4], stop: [6, 9, 5] },
  ],
});

test("a queried slice is shown at the place looked at, a region at its middle", () => {
  session.lookAt([1, 2, 3]);
  lookAtPart(session, 0);
  expect(session.crosshair.value).toEqual([1, 2, 7]);
  lookAtPart(session, 1);
  expect(session.crosshair.value).toEqual([3, 4, 4]);
});

test("opening begins at the first queried part, before anything was looked at", () => {
  expect(sessionOf(null, headerOf([8, 9, 10]), projectOf(), { parts: [{ axis: 2, index: 7 }] }).crosshair.value).toEqual([4, 4, 7]);
});

test("queried slices and boxes are named as the panes number them, and marked where they are", () => {
  expect([0, 1].map((n) => session.partTitle(n))).toEqual(["Axial slice 8 of 10", "Region 2 (Axial slice 5 of 10)"]);
  expect([4, 5, 7].map((slice) => session.isQueried(0, slice))).toEqual([true, false, true]);
  expect(session.queriedBoxes).toEqual([
    { start: [0, 0, 7], stop: [8, 9, 8] },
    { start: [2, 0, 4], stop: [6, 9, 5] },
  ]);
});

test("a part that is not there moves nothing", () => {
  session.lookAt([1, 2, 3]);
  lookAtPart(session, 2);
  expect(session.crosshair.value).toEqual([1, 2, 3]);
});
