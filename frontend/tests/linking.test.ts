import { describe, expect, it } from "vitest";
import type { PlaneHeader, Triple } from "../src/api/types";
import { liesWithin, linkedVoxel, offSlice, type Placed, planeBeside, relativeSlice } from "../src/geometry/linking";

const axial: PlaneHeader = {
  name: "axial",
  slice_axis: 2,
  x_axis: 0,
  y_axis: 1,
  x_flip: true,
  y_flip: true,
  x_spacing_mm: 1,
  y_spacing_mm: 1,
  edges: ["R", "L", "A", "P"],
};
const turned = (angle: number, spacing: Triple, origin: Triple, flips: Triple): number[][] => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const rows = [
    [c, -s * c, s * s],
    [s, c * c, -c * s],
    [0, s, c],
  ];
  return [...rows.map((row, n) => [...row.map((value, axis) => value * spacing[axis]! * flips[axis]!), origin[n]!]), [0, 0, 0, 1]];
};
/** Evenly spread between 0 and 1, the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}
const placed = (affine: number[][], shape: Triple = [40, 40, 20]): Placed => ({ affine, shape, planes: [axial] });

describe("a place of one series in another", () => {
  it("is where the axes are the same the same voxel over the sizes of voxels", () => {
    const [a, b] = [placed(turned(0, [1, 1, 1], [0, 0, 0], [1, 1, 1])), placed(turned(0, [2, 2, 5], [0, 0, 0], [1, 1, 1]))];
    expect(linkedVoxel(a, b, [10, 4, 15])).toEqual([5, 2, 3]);
  });
  it("is counted from the other end on a flipped axis", () => {
    const [a, b] = [placed(turned(0, [1, 1, 1], [0, 0, 0], [1, 1, 1])), placed(turned(0, [1, 1, 1], [0, 0, 19], [1, 1, -1]))];
    expect(linkedVoxel(a, b, [3, 4, 5])).toEqual([3, 4, 14]);
  });
  it("comes back to the voxel that it left, whatever the axes", () => {
    const next = numbers(7);
    for (let n = 0; n < 200; n++) {
      const one = (low: number, high: number): number => low + (high - low) * next();
      const any = (): Placed =>
        placed(
          turned(
            one(-3, 3),
            [one(0.3, 5), one(0.3, 5), one(0.3, 8)],
            [one(-200, 200), one(-200, 200), one(-200, 200)],
            [Math.sign(one(-1, 1)), Math.sign(one(-1, 1)), Math.sign(one(-1, 1))],
          ),
        );
      const [a, b, voxel] = [any(), any(), [one(0, 40), one(0, 40), one(0, 20)] as Triple];
      linkedVoxel(b, a, linkedVoxel(a, b, voxel)).forEach((at, axis) => expect(at).toBeCloseTo(voxel[axis]!, 6));
    }
  });
  it("lies within a series up to half a voxel beyond its outermost ones", () => {
    const one = placed(turned(0, [1, 1, 1], [0, 0, 0], [1, 1, 1]));
    expect([liesWithin(one, [-0.4, 0, 19.4]), liesWithin(one, [0, 0, 19.6]), liesWithin(one, [-0.6, 0, 0])]).toEqual([true, false, false]);
  });
  it("is so many millimetres off the slice that is drawn", () => {
    expect(offSlice(placed(turned(0.4, [1, 1, 5], [0, 0, 0], [1, 1, 1])), axial, [0, 0, 3.2], 3)).toBeCloseTo(1, 6);
  });
});

describe("the relative slice", () => {
  const up = placed(turned(0, [1, 1, 1], [0, 0, 0], [1, 1, 1]), [4, 4, 11]);
  it("is at the same share", () => expect(relativeSlice(up, axial, placed(up.affine as number[][], [4, 4, 21]), axial, 5)).toBe(10));
  it("is counted towards the same side of the patient", () => {
    const down = placed(turned(0, [1, 1, 1], [0, 0, 0], [1, 1, -1]), [4, 4, 21]);
    expect(relativeSlice(up, axial, down, axial, 10)).toBe(0);
  });
  it("is the middle of a series beside a picture", () => expect(relativeSlice(placed(up.affine as number[][], [4, 4, 1]), axial, up, axial, 0)).toBe(5));
});

it("draws the plane of the same name, else the only one", () => {
  const coronal = { ...axial, name: "coronal" as const };
  expect([planeBeside([axial, coronal], "coronal").name, planeBeside([axial], "sagittal").name]).toEqual(["coronal", "axial"]);
});
