/** Slices and boxes that are queried: opening leads to the middle of one. */
import { expect, test } from "vitest";
import { lookAtPart } from "../src/state/opening";
import { headerOf, projectOf, sessionOf } from "./room";

const session = sessionOf(null, headerOf([8, 9, 10]), projectOf(), {
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

test("a part that is not there moves nothing", () => {
  session.lookAt([1, 2, 3]);
  lookAtPart(session, 2);
  expect(session.crosshair.value).toEqual([1, 2, 3]);
});
