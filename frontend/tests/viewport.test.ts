import { expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { FITTED, panBy, pixelOfPoint, placeSlice, pointOfPixel, zoomAt } from "../src/geometry/viewport";
import { planeOf } from "./scene";

const SHAPE: Triple = [100, 50, 10];
const ANISOTROPIC = planeOf(2, 0, 1, false, false, [0.5, 2, 1]);

test("a slice is drawn with the aspect of its millimetres, not of its pixels", () => {
  const place = placeSlice(ANISOTROPIC, SHAPE, 400, 400, FITTED);
  expect(place.sizeY / place.sizeX).toBeCloseTo(4);
  expect(place.sizeX / 0.5).toBeCloseTo(place.perMm);
});

test("a fitted slice lies centred inside the pane", () => {
  const place = placeSlice(ANISOTROPIC, SHAPE, 400, 300, FITTED);
  const first = pointOfPixel(place, { x: -0.5, y: -0.5 });
  const last = pointOfPixel(place, { x: 99.5, y: 49.5 });
  expect(first.x + last.x).toBeCloseTo(400);
  expect(first.y + last.y).toBeCloseTo(300);
  expect(first.y).toBeGreaterThanOrEqual(0);
});

test("points and pixels are inverse at any zoom and pan", () => {
  const place = placeSlice(ANISOTROPIC, SHAPE, 640, 480, { zoom: 3.7, panX: 4, panY: -9 });
  const pixel = pixelOfPoint(place, pointOfPixel(place, { x: 12.25, y: 7 }));
  expect(pixel.x).toBeCloseTo(12.25);
  expect(pixel.y).toBeCloseTo(7);
});

test("zooming keeps what is under the pointer", () => {
  const pointer = { x: 300, y: 90 };
  const before = placeSlice(ANISOTROPIC, SHAPE, 400, 400, FITTED);
  const under = pixelOfPoint(before, pointer);
  const view = zoomAt(FITTED, 2, before, { x: pointer.x - 200, y: pointer.y - 200 });
  const after = pointOfPixel(placeSlice(ANISOTROPIC, SHAPE, 400, 400, view), under);
  expect(after.x).toBeCloseTo(pointer.x);
  expect(after.y).toBeCloseTo(pointer.y);
});

test("panning moves the slice with the pointer", () => {
  const before = placeSlice(ANISOTROPIC, SHAPE, 400, 400, FITTED);
  const after = placeSlice(ANISOTROPIC, SHAPE, 400, 400, panBy(FITTED, before, 30, -12));
  expect(after.originX - before.originX).toBeCloseTo(30);
  expect(after.originY - before.originY).toBeCloseTo(-12);
});
