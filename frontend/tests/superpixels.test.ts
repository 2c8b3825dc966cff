/** Superpixels as marks: what a click makes of a slice that the server cut. */
import { expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { runsAt, type SuperpixelMark, toggled, unpackCut } from "../src/tools/superpixels";

const SHAPE: Triple = [4, 3, 2];
/** Across K: the left half of every row is 1, the right half 2. */
const cut = unpackCut({
  axis: 2,
  index: 1,
  runs: [
    [1, 2],
    [2, 2],
    [1, 2],
    [2, 2],
    [1, 2],
    [2, 2],
  ],
});

test("a superpixel across K is one run per row, in flat indexes of the whole image", () => {
  expect(runsAt(cut, SHAPE, [0, 2, 1])).toEqual([
    [12, 2],
    [16, 2],
    [20, 2],
  ]);
});

test("of a slice across I every voxel is a run of its own", () => {
  const side = unpackCut({
    axis: 0,
    index: 3,
    runs: [
      [1, 3],
      [2, 3],
    ],
  });
  expect(runsAt(side, SHAPE, [3, 0, 1])).toEqual([
    [15, 1],
    [19, 1],
    [23, 1],
  ]);
});

test("a click gives a label, another label takes its place, and the same again takes it back", () => {
  const click = (marks: SuperpixelMark[], label: number): SuperpixelMark[] => toggled(marks, cut, SHAPE, [1, 1, 1], label);
  const once = click([], 1);
  expect(once).toEqual([
    {
      kind: "superpixel",
      label: 1,
      runs: [
        [12, 2],
        [16, 2],
        [20, 2],
      ],
    },
  ]);
  expect(click(once, 2).map(({ label }) => label)).toEqual([2]);
  expect(click(click(once, 2), 2)).toEqual([]);
});

test("its neighbour stays as it is", () => {
  const both = toggled(toggled([], cut, SHAPE, [1, 1, 1], 1), cut, SHAPE, [3, 1, 1], 1);
  expect(toggled(both, cut, SHAPE, [1, 0, 1], 1)).toEqual([both[1]]);
});
