import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { PlaneHeader, Triple } from "../src/api/types";
import { fitted, onScreen, orbit, placeOf, placeUnder, seenFrom, voxelAt } from "../src/geometry/camera";
import { angleOf, cross, dot, lengthOf, norm, regionArea, scaleOf, sliceDistance } from "../src/geometry/measure";
import { pointOfPixel } from "../src/geometry/viewport";
import { projectSlab, slabAround } from "../src/render/slab";
import { slab, tool } from "../src/state/display";
import { finishPlacing, nextMeasuringTool, placeAtCrosshair, whyNotMeasured } from "../src/state/measuring";
import { notices } from "../src/state/notices";
import { measuring } from "../src/tools/measure";
import { beginDrag } from "../src/tools/pointer";
import { figureLines, figuresOf } from "../src/volume/figures";
import type { Volume } from "../src/volume/volume";
import { headerOf, paneOf, sessionOf } from "./room";
import { EVERY_PLANE, planeOf } from "./scene";

interface Golden {
  affine: number[][];
  axis: number;
  index: number;
  points: Triple[];
  length: number;
  angle: number;
  slice_distance: number;
  regions: Record<"ellipse" | "rectangle", { area: number; voxels: number; mean?: number; sd?: number; min?: number; max?: number }>;
}

/** What numpy makes of the same measurements; tests/metrics/test_caliper.py says how. */
const GOLDEN = JSON.parse(readFileSync(join(import.meta.dirname, "../../tests/metrics/measured_by_numpy.json"), "utf8")) as Golden[];
const SHAPE: Triple = [10, 11, 12];

function volumeOf(shape: Triple, value: (i: number, j: number, k: number) => number): Volume {
  const values = new Int16Array(shape[0] * shape[1] * shape[2]);
  for (let k = 0, n = 0; k < shape[2]; k++) for (let j = 0; j < shape[1]; j++) for (let i = 0; i < shape[0]; i++, n++) values[n] = value(i, j, k);
  return { shape, channels: 1, values, voxels: values.length, received: values.length };
}

describe("a measurement", () => {
  test.each(GOLDEN)("is what numpy makes of it, on grids that are oblique, leaning and anisotropic", (golden) => {
    const header = headerOf(SHAPE, { affine: golden.affine });
    const volume = volumeOf(SHAPE, (i, j, k) => ((37 * i + 91 * j + 53 * k + i * j * k) % 301) - 100);
    const { axis, index, points } = golden;
    const scale = scaleOf(header, axis);
    expect(lengthOf(points, scale)).toBeCloseTo(golden.length, 8);
    expect(angleOf(points, scale)).toBeCloseTo(golden.angle, 6);
    expect(sliceDistance(axis, scale)).toBeCloseTo(golden.slice_distance, 8);
    for (const kind of ["ellipse", "rectangle"] as const) {
      const { area, ...wanted } = golden.regions[kind];
      expect(regionArea(kind, points, axis, scale)).toBeCloseTo(area, 8);
      const { area_mm2, ...found } = figuresOf({ kind, points, axis, index }, header, volume, [0]);
      expect(area_mm2).toBeCloseTo(area, 8);
      expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
      for (const [name, value] of Object.entries(wanted)) expect(found[name]).toBeCloseTo(value, 8);
    }
  });

  test("is in pixels where the size is not known, in the plane that is concerned", () => {
    const affine = [
      [2, 0, 0, 0],
      [0, 3, 0, 0],
      [0, 0, 4, 0],
    ];
    const points: Triple[] = [
      [0, 0, 0],
      [0, 5, 0],
    ];
    const length = (sized: boolean, spaced: boolean, axis: number) =>
      figuresOf({ kind: "length", points, axis, index: 0 }, headerOf(SHAPE, { affine, sized, spaced }), null, [0]);
    expect(length(true, true, 0)).toEqual({ length_mm: 15 });
    expect(length(true, false, 2)).toEqual({ length_mm: 15 });
    expect(length(true, false, 0)).toEqual({ length_px: 5 });
    expect(length(false, false, 2)).toEqual({ length_px: 5 });
  });

  test("reads as a clinician writes it", () => {
    expect(figureLines({ length_mm: 12.34 }, "HU")).toEqual(["12.3 mm"]);
    expect(figureLines({ angle_degrees: 45 }, "")).toEqual(["45.0°"]);
    expect(figureLines({ voxels: 4, mean: 34.56, sd: 5.1, min: -3, max: 90, area_mm2: 1234 }, "HU")).toEqual(["mean 34.6 ± 5.10 HU", "-3 … 90 HU", "12.3 cm²"]);
    expect(figureLines({ voxels: 0, area_px: 3 }, "")).toEqual(["3 px²", "no voxel"]);
  });
});

describe("measuring on a plane", () => {
  beforeEach(() => {
    tool.value = "ruler";
    slab.value = "off";
    notices.value = [];
  });

  const press = {} as PointerEvent;
  const sessionWith = (plane: PlaneHeader) => {
    const session = sessionOf(new Uint8Array(10 * 11 * 12), headerOf(SHAPE, { planes: [plane, planeOf((plane.slice_axis + 1) % 3, 0, 1, false, false)] }));
    return { session, contact: paneOf(session) };
  };

  test("a drag places both ends where the pointer was, in every plane and flip", () => {
    for (const plane of EVERY_PLANE) {
      const { session, contact } = sessionWith(plane);
      const at = (x: number, y: number) => pointOfPixel(contact.place(), { x, y });
      const drag = measuring(contact, at(1, 2))!;
      drag.move(at(6, 7.5), press);
      const placed = session.measurements.placing.value!;
      const expected = (x: number, y: number): Triple => {
        const voxel: Triple = [0, 0, 0];
        voxel[plane.slice_axis] = session.sliceNumber(0);
        voxel[plane.x_axis] = plane.x_flip ? SHAPE[plane.x_axis]! - 1 - x : x;
        voxel[plane.y_axis] = plane.y_flip ? SHAPE[plane.y_axis]! - 1 - y : y;
        return voxel;
      };
      [expected(1, 2), expected(6, 7.5)].forEach((point, n) => point.forEach((value, axis) => void expect(placed.points[n]![axis]).toBeCloseTo(value, 9)));
      expect(placed.index).toBe(session.sliceNumber(0));
      drag.cancel();
      expect(session.measurements.placing.value).toBeNull();
    }
  });

  test("clicks place one point after the other, and an angle has three", () => {
    const { session, contact } = sessionWith(planeOf(2, 0, 1, false, false));
    const click = (x: number, y: number): void => measuring(contact, pointOfPixel(contact.place(), { x, y }))!.end();
    click(1, 1);
    expect(session.measurements.placing.value!.points).toHaveLength(1);
    tool.value = "angle";
    click(2, 2);
    expect(session.measurements.placing.value).toMatchObject({ kind: "angle", points: [[expect.closeTo(2, 9), expect.closeTo(2, 9), 6]] });
    click(8, 2);
    expect(session.measurements.placing.value!.points).toHaveLength(2);
  });

  test("a point can be placed at the crosshair, which the tool and the slice must allow", () => {
    const { session } = sessionWith(planeOf(2, 0, 1, false, false));
    placeAtCrosshair(session);
    expect(session.measurements.placing.value!.points).toEqual([session.crosshair.value]);
    session.moveSlice(0, 1);
    placeAtCrosshair(session);
    expect(session.measurements.placing.value!.points).toHaveLength(1);
    tool.value = "brush";
    placeAtCrosshair(session);
    expect(notices.value.at(-1)?.message).toBe("Choose a measuring tool first");
    nextMeasuringTool(session);
    expect(tool.value).toBe("ruler");
    nextMeasuringTool(session);
    expect(tool.value).toBe("angle");
  });

  test("what has no size is not kept, and says why", () => {
    const { session } = sessionWith(planeOf(2, 0, 1, false, false));
    const flat: Triple[] = [
      [1, 1, 6],
      [1, 5, 6],
    ];
    session.measurements.placing.value = { kind: "ellipse", axis: 2, index: 6, points: flat };
    finishPlacing(session);
    expect(notices.value.at(-1)?.message).toBe("A region needs a width and a height");
    expect(session.measurements.placing.value).toBeNull();
    expect(whyNotMeasured({ kind: "length", axis: 2, index: 6, points: flat })).toBe("");
    expect(whyNotMeasured({ kind: "angle", axis: 2, index: 6, points: [flat[0]!, flat[0]!, flat[1]!] })).toBe("Both legs of an angle need a length");
  });

  test("on a slab nothing is drawn or measured", () => {
    const { contact } = sessionWith(planeOf(2, 0, 1, false, false));
    slab.value = "MIP";
    for (const one of ["ruler", "brush", "point"] as const) {
      tool.value = one;
      notices.value = [];
      expect(beginDrag(contact, { x: 50, y: 50 }, { button: 0 } as PointerEvent)).toBeNull();
      expect(notices.value.at(-1)?.message).toMatch(/^A slab of several slices is shown/);
    }
    tool.value = "navigate";
    expect(beginDrag(contact, { x: 50, y: 50 }, { button: 0 } as PointerEvent)).not.toBeNull();
  });
});

describe("a slab", () => {
  const leaning = [
    [0.5, 0, 0, 0],
    [0, 0.5, 1, 0],
    [0, 0, 2, 0],
  ];

  test("holds the slices whose centre lies within half its thickness, across slices that lean over, and ends with the image", () => {
    const header = headerOf(SHAPE, { affine: leaning });
    const plane = planeOf(2, 0, 1, false, false);
    expect(slabAround("MIP", 8, header, plane, 5)).toEqual({ mode: "MIP", first: 3, last: 7 });
    expect(slabAround("MIP", 7.9, header, plane, 5)).toEqual({ mode: "MIP", first: 4, last: 6 });
    expect(slabAround("mean", 8, header, plane, 0)).toEqual({ mode: "mean", first: 0, last: 2 });
    expect(slabAround("mean", 8, header, plane, 11)).toEqual({ mode: "mean", first: 9, last: 11 });
    expect(slabAround("MinIP", 1, header, plane, 5)).toEqual({ mode: "MinIP", first: 5, last: 5 });
    expect(slabAround("MinIP", 4, { ...header, spaced: false }, plane, 5)).toEqual({ mode: "MinIP", first: 3, last: 7 });
    expect(slabAround("off", 8, header, plane, 5)).toBeNull();
  });

  test("is the largest, smallest or mean value along each line of sight, in every plane and flip", () => {
    const volume = volumeOf(SHAPE, (i, j, k) => ((37 * i + 91 * j + 53 * k + i * j * k) % 301) - 100);
    for (const plane of EVERY_PLANE) {
      const ranges = { first: 2, last: 5 };
      for (const mode of ["MIP", "MinIP", "mean"] as const) {
        const made = projectSlab(volume, plane, SHAPE, { mode, ...ranges }, [0]);
        const [width, height] = [SHAPE[plane.x_axis]!, SHAPE[plane.y_axis]!];
        for (const [x, y] of [
          [0, 0],
          [width - 1, 0],
          [3, height - 1],
        ] as const) {
          const along = [2, 3, 4, 5].map((number) => {
            const voxel: Triple = [0, 0, 0];
            voxel[plane.slice_axis] = number;
            voxel[plane.x_axis] = plane.x_flip ? width - 1 - x : x;
            voxel[plane.y_axis] = plane.y_flip ? height - 1 - y : y;
            return volume.values[voxel[0] + SHAPE[0] * (voxel[1] + SHAPE[1] * voxel[2])]!;
          });
          const wanted = { MIP: Math.max(...along), MinIP: Math.min(...along), mean: along.reduce((a, b) => a + b) / 4 }[mode];
          expect(made.volume.values[made.slice.start + x * made.slice.right + y * made.slice.down]).toBeCloseTo(wanted, 5);
        }
      }
    }
  });
});

describe("the camera of the 3D view", () => {
  const camera = fitted([-50, -40, -30], [50, 60, 70], 400, 300);

  test("looks from each side with the patient the right way round", () => {
    const at = (side: "A" | "P" | "L" | "R" | "S" | "I", place: Triple) => {
      const { x, y, near } = onScreen(seenFrom(side, camera), place, 400, 300);
      return [Math.sign(Math.round(x - 200)), Math.sign(Math.round(150 - y)), Math.sign(Math.round(near))];
    };
    const [right, front, top]: Triple[] = [
      [20, 10, 20],
      [0, 30, 20],
      [0, 10, 40],
    ];
    expect([at("A", right!), at("A", front!), at("A", top!)]).toEqual([
      [-1, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
    ]);
    expect(at("P", right!)).toEqual([1, 0, 0]);
    expect([at("L", right!), at("L", front!)]).toEqual([
      [0, 0, -1],
      [-1, 0, 0],
    ]);
    expect(at("R", front!)).toEqual([1, 0, 0]);
    expect([at("S", right!), at("S", front!), at("S", top!)]).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    expect([at("I", right!), at("I", front!)]).toEqual([
      [-1, 0, 0],
      [0, 1, 0],
    ]);
  });

  test("stays square while it is turned, and a drag to the right brings the left to the front", () => {
    const turned = orbit(orbit(camera, 0.7, -0.4), -2, 1.1);
    for (const axis of [turned.right, turned.up, turned.towards]) expect(norm(axis)).toBeCloseTo(1, 9);
    cross(turned.right, turned.up).forEach((value, n) => void expect(value).toBeCloseTo(turned.towards[n]!, 9));
    expect(dot(turned.right, turned.up)).toBeCloseTo(0, 9);
    const point: Triple = [0, 60, 20];
    expect(onScreen(orbit(camera, 0.2, 0), point, 400, 300).x).toBeGreaterThan(onScreen(camera, point, 400, 300).x);
    expect(onScreen(orbit(camera, 0, 0.2), point, 400, 300).y).toBeGreaterThan(onScreen(camera, point, 400, 300).y);
  });

  test("finds the nearest surface under a point, and its voxel on an oblique grid", () => {
    const sheet = (y: number): { positions: Float32Array; triangles: Uint32Array } => ({
      positions: new Float32Array([-10, y, 0, 30, y, 0, -10, y, 40, 30, y, 40]),
      triangles: new Uint32Array([0, 1, 2, 1, 3, 2]),
    });
    const sheets = [sheet(5), sheet(25), sheet(-20)];
    const at = onScreen(camera, [4, 25, 33], 400, 300);
    placeUnder(camera, at, 400, 300, sheets)!.forEach((value, n) => void expect(value).toBeCloseTo([4, 25, 33][n]!, 6));
    placeUnder(seenFrom("P", camera), onScreen(seenFrom("P", camera), [4, 0, 33], 400, 300), 400, 300, sheets)!.forEach(
      (value, n) => void expect(value).toBeCloseTo([4, -20, 33][n]!, 6),
    );
    expect(placeUnder(camera, { x: 1, y: 1 }, 400, 300, sheets)).toBeNull();
    for (const { affine } of GOLDEN) voxelAt(affine, placeOf(affine, [3, 4.5, 6])).forEach((value, n) => void expect(value).toBeCloseTo([3, 4.5, 6][n]!, 6));
  });
});
