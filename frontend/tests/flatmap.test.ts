import { describe, expect, it } from "vitest";
import type { PoolMap } from "../src/api/types";
import { type Camera, fitted, isInside, lassoed, nearest, panned, seen, toPixels, toPlace, zoomed } from "../src/geometry/flatmap";
import { byValue, type Colouring, entriesOf } from "../src/state/mapcolours";
import { leftWords } from "../src/views/mapside";

const SIZE = { width: 400, height: 200 };

describe("the camera of the map", () => {
  it("shows all of it in the middle, y upwards", () => {
    const camera = fitted(SIZE);
    expect(toPixels(camera, SIZE, [0.5, 0.5])).toEqual([200, 100]);
    expect(toPixels(camera, SIZE, [0, 1])).toEqual([108, 8]);
  });

  it("comes back from pixels to places", () => {
    const camera: Camera = { scale: 321, x: 0.2, y: 0.9 };
    const [x, y] = toPlace(camera, SIZE, toPixels(camera, SIZE, [0.37, 0.11]));
    expect([x, y].map((value) => Number(value.toFixed(9)))).toEqual([0.37, 0.11]);
  });

  it("zooms about what lies under the pointer, and no further than is of use", () => {
    const pixel = [60, 170] as const;
    const camera = zoomed(fitted(SIZE), SIZE, 3, pixel);
    expect(toPlace(camera, SIZE, pixel)[0]).toBeCloseTo(toPlace(fitted(SIZE), SIZE, pixel)[0], 9);
    expect(zoomed(camera, SIZE, 1e-9, pixel).scale).toBe(fitted(SIZE).scale / 2);
  });

  it("moves with the drag", () => {
    const moved = panned(fitted(SIZE), 30, -20);
    const [x, y] = toPixels(moved, SIZE, [0.5, 0.5]);
    expect([Math.round(x), Math.round(y)]).toEqual([230, 80]);
  });
});

describe("what a lasso holds", () => {
  const square = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ] as const;

  it("is inside by the even-odd rule, also of a concave polygon", () => {
    const horseshoe = [
      [0, 0],
      [3, 0],
      [3, 3],
      [2, 3],
      [2, 1],
      [1, 1],
      [1, 3],
      [0, 3],
    ] as const;
    expect(
      [
        [0.5, 2],
        [1.5, 2],
        [2.5, 2],
        [1.5, 0.5],
        [4, 1],
      ].map(([x, y]) => isInside(horseshoe, [x!, y!])),
    ).toEqual([true, false, true, true, false]);
  });

  it("is nothing with fewer than three corners", () => {
    expect(
      isInside(
        [
          [0, 0],
          [1, 1],
        ],
        [0.5, 0.5],
      ),
    ).toBe(false);
    expect(lassoed([], [0.5], [0.5])).toEqual([]);
  });

  it("gives the numbers of its points", () => expect(lassoed(square, [0.5, 2, 0.1], [0.5, 0.5, 0.9])).toEqual([0, 2]));

  it("what is seen lies within the canvas", () => expect(seen(fitted(SIZE), SIZE, [0.5, 9, 0.1], [0.5, 0.5, 0.9])).toEqual([0, 2]));

  it("the nearest point is none where all are far", () => {
    expect(nearest([0, 1], [0, 1], [0.9, 0.9], 0.2)).toBe(1);
    expect(nearest([0, 1], [0, 1], [0.5, 0.5], 0.2)).toBe(-1);
  });
});

const made = (changed: Partial<PoolMap>): PoolMap => ({
  ...({ states: [], labels: [], splits: [], uncertainties: [], qualities: [], rounds: [], groups: [] } as unknown as PoolMap),
  ...changed,
});
const LABELS = [{ value: 0, name: "cat", colour: "#123456" }] as never;

describe("the legend", () => {
  it("holds every point once, whatever it is coloured by", () => {
    const map = made({
      states: ["unlabelled", "queried", "unlabelled"],
      labels: ["", "cat", "dog"],
      splits: ["train", "test", "train"],
      uncertainties: [null, 0.1, 0.4],
      qualities: [0.5, 0.5, 0.5],
      rounds: [null, 3, 1],
      groups: ["", "site A", "site A"],
    });
    for (const by of ["state", "label", "uncertainty", "quality", "round", "split", "group"] as Colouring[])
      expect(
        entriesOf(map, by, LABELS)
          .flatMap(({ points }) => points)
          .sort(),
        by,
      ).toEqual([0, 1, 2]);
  });

  it("gives a label its own colour, and draws what has none first", () => {
    const entries = entriesOf(made({ labels: ["dog", "", "cat"] }), "label", LABELS);
    expect(entries.map(({ name }) => name)).toEqual(["not annotated", "cat", "dog"]);
    expect(entries[1]!.colour).toBe("#123456");
  });

  it("puts what is beyond the palette together", () => {
    const groups = Array.from({ length: 30 }, (_, n) => `site ${n % 12}`);
    const entries = entriesOf(made({ groups }), "group", LABELS);
    expect(entries.at(-1)!.name).toBe("4 others");
    expect(new Set(entries.map(({ colour }) => colour)).size).toBe(entries.length);
  });

  it("cuts values into steps of equal width", () => {
    const entries = byValue([0, 0.9, null, 0.05], "not predicted");
    expect(entries.map(({ name, points }) => [name, points])).toEqual([
      ["not predicted", [2]],
      ["0 to 0.1", [0, 3]],
      ["0.8 to 0.9", [1]],
    ]);
  });
});

it("says why cases were not queried, reason by reason", () => {
  const left = [..."abcd"].map((name) => ({ case: name, why: "it is annotated" }));
  expect(leftWords({ left: [...left, { case: "e", why: "somebody has it open" }] })).toBe(
    "not a, b, c and 1 more: it is annotated; not e: somebody has it open",
  );
});
