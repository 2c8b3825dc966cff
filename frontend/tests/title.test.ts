/** A plane is called by anatomy only where the file says which way the patient lies. */
import { expect, test } from "vitest";
import { headerOf, sessionOf } from "./room";
import { planeOf } from "./scene";

const sagittal = planeOf(0, 2, 1, false, false);

test("a plane of an oriented image has its anatomical name", () => {
  expect(sessionOf(null, headerOf([4, 5, 6])).planeTitle(0)).toBe("Axial");
});

test("without orientation a plane is called by the axes of the file it shows, in the order of the file", () => {
  const session = sessionOf(null, headerOf([4, 5, 6], { oriented: false, planes: [sagittal, planeOf(2, 0, 1, false, false)] }));
  expect([session.planeTitle(0), session.planeTitle(1)]).toEqual(["Plane J–K", "Plane I–J"]);
});

test("a picture has one plane, the image", () => {
  expect(sessionOf(null, headerOf([4, 5, 1], { oriented: false })).planeTitle(0)).toBe("Image");
});
