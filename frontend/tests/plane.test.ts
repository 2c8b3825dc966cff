import { describe, expect, test } from "vitest";
import { clampVoxel, flatIndex, mainPlane, pixelOfVoxel, sliceOf, stepOfWheelDown, voxelOfIndex, voxelOfPixel } from "../src/geometry/plane";
import { EVERY_PLANE, planeOf, SHAPE } from "./scene";

describe("a plane", () => {
  test("maps every voxel to a pixel and back, for all flips and axis orders", () => {
    for (const plane of EVERY_PLANE) {
      for (let index = 0; index < 120; index++) {
        const voxel = voxelOfIndex(SHAPE, index);
        const pixel = pixelOfVoxel(plane, SHAPE, voxel);
        expect(voxelOfPixel(plane, SHAPE, pixel, voxel[plane.slice_axis]!)).toEqual(voxel);
      }
    }
  });

  test("walks the file with strides that reach the same voxel as the mapping", () => {
    for (const plane of EVERY_PLANE) {
      const slice = sliceOf(plane, SHAPE, 2);
      for (let y = 0; y < slice.height; y++) {
        for (let x = 0; x < slice.width; x++) {
          const index = slice.start + x * slice.right + y * slice.down;
          expect(index).toBe(flatIndex(SHAPE, voxelOfPixel(plane, SHAPE, { x, y }, 2)));
        }
      }
    }
  });

  test("drawn with an x flip shows the far end of the axis at the left", () => {
    const plane = planeOf(2, 0, 1, true, false);
    expect(pixelOfVoxel(plane, SHAPE, [3, 0, 0])).toEqual({ x: 0, y: 0 });
    expect(pixelOfVoxel(plane, SHAPE, [0, 4, 0])).toEqual({ x: 3, y: 4 });
  });

  test("as stored draws I to the right and J downwards", () => {
    const slice = sliceOf(planeOf(2, 0, 1, false, false), SHAPE, 1);
    expect(slice).toEqual({ start: 20, right: 1, down: 4, width: 4, height: 5 });
  });

  test("turns a wheel down towards the feet whichever way the file runs", () => {
    const plane = planeOf(2, 0, 1, true, true);
    const upwards = [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 3, 0],
      [0, 0, 0, 1],
    ];
    const downwards = [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, -3, 0],
      [0, 0, 0, 1],
    ];
    expect(stepOfWheelDown(plane, upwards)).toBe(-1);
    expect(stepOfWheelDown(plane, downwards)).toBe(1);
  });
});

test("a voxel outside the grid is pulled to the nearest one inside", () => {
  expect(clampVoxel(SHAPE, [-1, 2.6, 99])).toEqual([0, 3, 5]);
});

test("the large pane shows the plane across thick slices, and axial when voxels are even", () => {
  const planes = [planeOf(2, 0, 1, true, true), planeOf(1, 0, 2, true, true), planeOf(0, 1, 2, true, true)];
  expect(mainPlane(planes, [1, 1, 1])).toBe(0);
  expect(mainPlane(planes, [0.5, 4, 0.5])).toBe(1);
  expect(mainPlane(planes, [1.1, 1, 1])).toBe(0);
});
