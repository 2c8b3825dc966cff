import { describe, expect, test } from "vitest";
import type { Region, Triple } from "../src/api/types";
import { ghostOf } from "../src/edits/changes";
import { wholeOf } from "../src/edits/mix";
import { permitted } from "../src/edits/permitted";
import { applyRuns } from "../src/edits/runs";
import { flatIndex, type Pixel, sliceOf, voxelCount, voxelOfIndex } from "../src/geometry/plane";
import { boxAround, cut, unpacked } from "../src/operations/block";
import { carried } from "../src/operations/carry";
import { dilated, eroded, squaredDistances } from "../src/operations/distance";
import { flooded } from "../src/operations/flood";
import { islandsOf } from "../src/operations/islands";
import { perform, type Task } from "../src/operations/perform";
import { ringRuns, thinned, visitInside } from "../src/operations/polygon";
import { smoothed } from "../src/operations/smooth";
import { EVERY_PLANE, SHAPE } from "./scene";

/** Numbers between 0 and 1 that are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function blob(shape: Triple, seed: number, share = 0.5): Uint8Array {
  const next = numbers(seed);
  return Uint8Array.from({ length: voxelCount(shape) }, () => (next() < share ? 1 : 0));
}

function ballIn(shape: Triple, spacing: Triple, centre: Triple, mm: number): Uint8Array {
  return Uint8Array.from({ length: voxelCount(shape) }, (_, index) => {
    const voxel = voxelOfIndex(shape, index);
    return Math.hypot(...voxel.map((n, axis) => (n - centre[axis]!) * spacing[axis]!)) <= mm ? 1 : 0;
  });
}

/** Whether a point lies inside by a ray downwards; the rasteriser's rays go to the right. */
function isInside(points: readonly Pixel[], x: number, y: number): boolean {
  let inside = false;
  points.forEach((a, n) => {
    const b = points[(n + 1) % points.length]!;
    if (a.x > x !== b.x > x && y < a.y + ((x - a.x) / (b.x - a.x)) * (b.y - a.y)) inside = !inside;
  });
  return inside;
}

const inside = (points: readonly Pixel[], width = 20, height = 18): Set<string> => {
  const found = new Set<string>();
  visitInside(points, width, height, (x, y) => found.add(`${x} ${y}`));
  return found;
};

describe("a polygon", () => {
  test("encloses the pixel centres that an independent rule says, even where it crosses itself or leaves the picture", () => {
    const next = numbers(3);
    for (let round = 0; round < 60; round++) {
      const points = Array.from({ length: 3 + (round % 7) }, () => ({ x: next() * 26 - 3, y: next() * 24 - 3 }));
      const found = inside(points);
      for (let y = 0; y < 18; y++) for (let x = 0; x < 20; x++) expect([round, x, y, found.has(`${x} ${y}`)]).toEqual([round, x, y, isInside(points, x, y)]);
    }
  });

  test("next to another one shares no pixel with it and leaves none out", () => {
    const square = (left: number): Pixel[] => [
      { x: left, y: 2 },
      { x: left + 4, y: 2 },
      { x: left + 4, y: 6 },
      { x: left, y: 6 },
    ];
    const [a, b] = [inside(square(1)), inside(square(5))];
    expect([a.size, b.size, [...a].filter((pixel) => b.has(pixel)).length]).toEqual([16, 16, 0]);
    expect(inside(square(1).slice().reverse())).toEqual(a);
  });

  test("thinner than a pixel encloses nothing", () => {
    expect(
      inside([
        { x: 1.2, y: 1.2 },
        { x: 9, y: 1.4 },
        { x: 5, y: 1.6 },
      ]).size,
    ).toBe(0);
  });

  test.each(EVERY_PLANE)("lies where it is drawn, with its hole, in plane %#", (plane) => {
    const slice = sliceOf(plane, SHAPE, 1);
    const frame = (by: number): Pixel[] => [
      { x: by - 0.5, y: by - 0.5 },
      { x: slice.width - by - 0.5, y: by - 0.5 },
      { x: slice.width - by - 0.5, y: slice.height - by - 0.5 },
      { x: by - 0.5, y: slice.height - by - 0.5 },
    ];
    const rings = [
      { points: frame(0), subtract: false },
      { points: frame(1), subtract: true },
    ];
    const mask = new Uint8Array(voxelCount(SHAPE));
    applyRuns(mask, unpacked(ringRuns(rings, slice, 7)));
    for (let index = 0; index < mask.length; index++) {
      const voxel = voxelOfIndex(SHAPE, index);
      const onBorder = [plane.x_axis, plane.y_axis].some((axis) => voxel[axis] === 0 || voxel[axis] === SHAPE[axis]! - 1);
      expect([voxel, mask[index]]).toEqual([voxel, voxel[plane.slice_axis] === 1 && onBorder ? 7 : 0]);
    }
  });

  test("runs come in order, so that a hole and a ring are one edit that undoes exactly", () => {
    const mask = blob(SHAPE, 5);
    const before = mask.slice();
    const rings = [
      {
        points: [
          { x: -1, y: -1 },
          { x: 9, y: -1 },
          { x: 9, y: 9 },
        ],
        subtract: false,
      },
      {
        points: [
          { x: 0, y: 0 },
          { x: 3, y: 0 },
          { x: 3, y: 3 },
        ],
        subtract: true,
      },
    ];
    const runs = unpacked(ringRuns(rings, sliceOf(EVERY_PLANE[0]!, SHAPE, 2), 1));
    expect(runs.map(([start]) => start)).toEqual(runs.map(([start]) => start).sort((a, b) => a - b));
    const edit = permitted(mask, runs, () => true, new Set());
    applyRuns(mask, edit.forward);
    expect(mask).not.toEqual(before);
    applyRuns(mask, edit.inverse);
    expect(mask).toEqual(before);
  });

  test("drawn freely keeps the points that differ", () => {
    expect(
      thinned([
        { x: 0, y: 0 },
        { x: 0.1, y: 0 },
        { x: 0.2, y: 0.2 },
        { x: 3, y: 0 },
      ]),
    ).toEqual([
      { x: 0, y: 0 },
      { x: 0.2, y: 0.2 },
      { x: 3, y: 0 },
    ]);
  });
});

describe("distances", () => {
  test.each<Triple>([
    [1, 1, 1],
    [0.5, 0.7, 3],
  ])("are those of the nearest voxel by hand, at %j mm", (...spacing) => {
    const shape: Triple = [7, 5, 4];
    const marked = blob(shape, 11, 0.06);
    const found = squaredDistances(marked, shape, spacing as unknown as Triple);
    const all = [...marked.keys()].filter((index) => marked[index]).map((index) => voxelOfIndex(shape, index));
    for (let index = 0; index < marked.length; index++) {
      const here = voxelOfIndex(shape, index);
      const nearest = Math.min(...all.map((other) => other.reduce((sum, n, axis) => sum + ((n - here[axis]!) * spacing[axis]!) ** 2, 0)));
      expect(found[index]).toBeCloseTo(nearest, 4);
    }
  });

  test("grow a voxel to a ball in millimetres, through few thick slices", () => {
    const [shape, spacing]: [Triple, Triple] = [
      [21, 21, 9],
      [0.5, 0.5, 3],
    ];
    const seed = new Uint8Array(voxelCount(shape));
    seed[flatIndex(shape, [10, 10, 4])] = 1;
    expect(dilated(seed, shape, spacing, 3)).toEqual(ballIn(shape, spacing, [10, 10, 4], 3));
    expect(dilated(seed, shape, spacing, 0.4)).toEqual(seed);
  });

  test("make slabs of a long volume without a seam", () => {
    const shape: Triple = [3, 3, 90];
    const marked = blob(shape, 2, 0.03);
    const near = (index: number): boolean => {
      const here = voxelOfIndex(shape, index);
      return [...marked.keys()].some((other) => marked[other] && Math.hypot(...voxelOfIndex(shape, other).map((n, axis) => n - here[axis]!)) <= 4);
    };
    expect(dilated(marked, shape, [1, 1, 1], 4)).toEqual(Uint8Array.from(marked, (_, index) => (near(index) ? 1 : 0)));
  });

  test("shrink from what is outside, not from the border of the image", () => {
    const full = new Uint8Array(27).fill(1);
    expect(eroded(full, [3, 3, 3], [1, 1, 1], 1)).toEqual(full);
    full[0] = 0;
    expect(eroded(full, [3, 3, 3], [1, 1, 1], 1).reduce((a, b) => a + b)).toBe(23);
  });
});

describe("a flood", () => {
  const shape: Triple = [5, 1, 1];
  const terms = { seed: [0, 0, 0] as Triple, limitMm: 100, passes: new Uint8Array(256).fill(1) };
  const run = (values: number[], low: number, high: number, more = {}): number[] => [
    ...flooded(Float32Array.from(values), new Uint8Array(5), shape, [1, 1, 1], { ...terms, range: { low, high }, ...more }),
  ];

  test("takes both ends of its range and nothing beyond", () => {
    expect(run([10, 20, 10, 20, 15], 10, 20)).toEqual([1, 1, 1, 1, 1]);
    expect(run([10, 20.01, 10, 10, 10], 10, 20)).toEqual([1, 0, 0, 0, 0]);
    expect(run([10, 9.99, 10, 10, 10], 10, 20)).toEqual([1, 0, 0, 0, 0]);
    expect(run([10, Number.NaN, 10, 10, 10], 10, 20)).toEqual([1, 0, 0, 0, 0]);
    expect(run([9, 10, 10, 10, 10], 10, 20)).toEqual([0, 0, 0, 0, 0]);
  });

  test("goes no farther than its limit, and not through labels that it may not pass", () => {
    expect(run([1, 1, 1, 1, 1], 0, 2, { limitMm: 2 })).toEqual([1, 1, 1, 0, 0]);
    const mask = Uint8Array.from([0, 0, 3, 0, 0]);
    const passes = Uint8Array.from({ length: 256 }, (_, value) => (value === 3 ? 0 : 1));
    expect([...flooded(new Float32Array(5), mask, shape, [1, 1, 1], { ...terms, range: { low: 0, high: 0 }, passes })]).toEqual([1, 1, 0, 0, 0]);
  });

  test("passes faces, not corners", () => {
    const values = Float32Array.from([1, 0, 0, 1]);
    const found = flooded(values, new Uint8Array(4), [2, 2, 1], [1, 1, 1], { ...terms, range: { low: 1, high: 1 } });
    expect([...found]).toEqual([1, 0, 0, 0]);
  });
});

describe("islands", () => {
  test("touch over faces only, and are numbered from the largest", () => {
    const { of, sizes } = islandsOf(Uint8Array.from([1, 0, 0, 0, 1, 1, 0, 1, 1]), [3, 3, 1]);
    expect([[...of], sizes]).toEqual([
      [2, 0, 0, 0, 1, 1, 0, 1, 1],
      [4, 1],
    ]);
  });

  test("are those of a plain search, in any volume", () => {
    const shape: Triple = [9, 8, 7];
    for (let seed = 0; seed < 8; seed++) {
      const marked = blob(shape, seed, 0.35);
      const { of, sizes } = islandsOf(marked, shape);
      const everywhere = { range: { low: 1, high: 1 }, limitMm: 1e6, passes: new Uint8Array(256).fill(1) };
      const seen = new Set<number>();
      for (let index = 0; index < marked.length; index++) {
        if (!marked[index] || seen.has(of[index]!)) continue;
        seen.add(of[index]!);
        const island = flooded(marked, marked, shape, [1, 1, 1], { ...everywhere, seed: voxelOfIndex(shape, index) });
        expect(Uint8Array.from(of, (number) => (number === of[index] ? 1 : 0))).toEqual(island);
        expect(sizes[of[index]! - 1]).toBe(island.reduce((a, b) => a + b));
      }
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      expect(seen.size).toBe(sizes.length);
    }
  });
});

describe("smoothing", () => {
  const [shape, spacing]: [Triple, Triple] = [
    [16, 15, 8],
    [1, 1, 2.5],
  ];
  const rough = blob(shape, 4, 0.5).map((is, index) => (ballIn(shape, spacing, [8, 7, 4], 6)[index] ? (is ? 1 : 1) : is && index % 11 === 0 ? 1 : 0));

  test("by opening and closing does nothing a second time", () => {
    const once = smoothed(rough, shape, spacing, "open-close", 1.6);
    expect(once).not.toEqual(rough);
    expect(smoothed(once, shape, spacing, "open-close", 1.6)).toEqual(once);
  });

  test.each(["median", "gaussian", "open-close"] as const)("by %s drops lone voxels, fills lone holes and leaves all and nothing as they are", (how) => {
    const lone = new Uint8Array(voxelCount(shape));
    lone[flatIndex(shape, [8, 7, 4])] = 1;
    expect(smoothed(lone, shape, spacing, how, 2.6).includes(1)).toBe(false);
    expect(
      smoothed(
        lone.map((is) => 1 - is),
        shape,
        spacing,
        how,
        2.6,
      ).includes(0),
    ).toBe(false);
    expect(smoothed(new Uint8Array(lone.length), shape, spacing, how, 2.6).includes(1)).toBe(false);
    expect(smoothed(new Uint8Array(lone.length).fill(1), shape, spacing, how, 2.6).includes(0)).toBe(false);
  });

  test("by median is the majority of a ball counted by hand, and keeps a straight edge", () => {
    const found = smoothed(rough, shape, spacing, "median", 2.5);
    for (let index = 0; index < rough.length; index += 7) {
      const here = voxelOfIndex(shape, index);
      let balance = 0;
      for (let other = 0; other < rough.length; other++) {
        const away = Math.hypot(...voxelOfIndex(shape, other).map((n, axis) => (n - here[axis]!) * spacing[axis]!));
        if (away <= 2.5) balance += rough[other] ? 1 : -1;
      }
      expect([index, found[index]]).toEqual([index, balance > 0 || (balance === 0 && rough[index]) ? 1 : 0]);
    }
    const half = Uint8Array.from({ length: 64 }, (_, index) => (index % 8 < 4 ? 1 : 0));
    for (const how of ["median", "gaussian"] as const) expect(smoothed(half, [8, 8, 1], [1, 1, 1], how, 2)).toEqual(half);
  });
});

describe("carrying on", () => {
  /** A bright cone that moves, on a dark ground with noise; it ends two slices before the volume does. */
  function cone(): { values: Int16Array; truth: Uint8Array; shape: Triple } {
    const [shape, next]: [Triple, () => number] = [[40, 36, 14], numbers(9)];
    const truth = new Uint8Array(voxelCount(shape));
    const values = new Int16Array(truth.length);
    for (let index = 0; index < truth.length; index++) {
      const [i, j, k] = voxelOfIndex(shape, index);
      truth[index] = k < 12 && Math.hypot(i - 14 - 0.7 * k, j - 16) <= 5 + 0.4 * k ? 1 : 0;
      values[index] = (truth[index] ? 120 : 40) + 30 * (next() - 0.5);
    }
    return { values, truth, shape };
  }

  test("follows a structure by how it looks, and ends where it ends", () => {
    const { values, truth, shape } = cone();
    const plane = shape[0] * shape[1];
    const mask = new Uint8Array(truth.length);
    mask.set(truth.subarray(2 * plane, 3 * plane), 2 * plane);
    const terms = { axis: 2, source: 2, step: 1 as const, steps: 20, passes: new Uint8Array(256).fill(1) };
    const found = carried(values, mask, shape, [1, 1, 2], 1, terms);
    expect([...found.keys()]).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (const [k, pixels] of found) {
      const wanted = truth.subarray(k * plane, (k + 1) * plane);
      const both = pixels.filter((is, n) => is && wanted[n]).length;
      expect(2 * both).toBeGreaterThan(0.95 * (pixels.filter(Boolean).length + wanted.filter(Boolean).length));
    }
  });

  test("stops before a slice that has the label already, and goes along any axis", () => {
    const { values, truth, shape } = cone();
    const mask = new Uint8Array(truth.length);
    for (let index = 0; index < mask.length; index++) if ([15, 19].includes(voxelOfIndex(shape, index)[1])) mask[index] = truth[index]!;
    const terms = { axis: 1, source: 15, step: 1 as const, steps: 20, passes: new Uint8Array(256).fill(1) };
    expect([...carried(values, mask, shape, [1, 1, 1], 1, terms).keys()]).toEqual([16, 17, 18]);
  });
});

describe("a task", () => {
  const shape: Triple = [6, 5, 4];
  const base = (mask: Uint8Array, box: Region = wholeOf(shape)) => ({ mask: cut(mask, shape, box), box, whole: shape, spacing: [1, 1, 1] as Triple, label: 1 });
  const after = (mask: Uint8Array, task: Task): Uint8Array => {
    const changed = mask.slice();
    applyRuns(changed, unpacked(perform(task)));
    return changed;
  };
  const mask = blob(shape, 8, 0.6).map((is, index) => (is && index % 5 === 0 ? 2 : is));
  const box: Region = { start: [1, 0, 2], stop: [5, 4, 3] };
  const within = (index: number): boolean => voxelOfIndex(shape, index).every((n, axis) => n >= box.start[axis]! && n < box.stop[axis]!);

  test("clears one label or all, within its box only", () => {
    expect(after(mask, { ...base(mask, box), kind: "clear", all: false })).toEqual(mask.map((value, index) => (value === 1 && within(index) ? 0 : value)));
    expect(after(mask, { ...base(mask, box), kind: "clear", all: true })).toEqual(mask.map((value, index) => (within(index) ? 0 : value)));
  });

  test("on a part of a volume does what it does on that part alone", () => {
    const part = cut(mask, shape, box);
    for (const more of [
      { kind: "smooth", how: "median", mm: 1 },
      { kind: "margin", mm: 1 },
      { kind: "margin", mm: -1 },
      { kind: "islands", how: "largest", least: 0, at: [0, 0, 0], free: [] },
    ] as const) {
      const alone: Task = {
        mask: part,
        box: wholeOf([4, 4, 1]),
        whole: [4, 4, 1],
        spacing: [1, 1, 1],
        label: 1,
        ...more,
        ...("at" in more && { at: [0, 0, 0], free: [] }),
      } as Task;
      expect(cut(after(mask, { ...base(mask, box), ...more } as Task), shape, box)).toEqual(after(part, alone));
    }
  });

  test("keeps the islands that are meant: the largest, those large enough, the one at a place; or gives them labels", () => {
    const line: Triple = [9, 1, 1];
    const pieces = Uint8Array.from([1, 1, 1, 0, 1, 0, 1, 1, 0]);
    const ground = {
      mask: pieces,
      box: wholeOf(line),
      whole: line,
      spacing: [1, 1, 1] as Triple,
      label: 1,
      kind: "islands" as const,
      least: 2,
      at: [4, 0, 0] as Triple,
      free: [5],
    };
    expect([...after(pieces, { ...ground, how: "largest" })]).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect([...after(pieces, { ...ground, how: "sized" })]).toEqual([1, 1, 1, 0, 0, 0, 1, 1, 0]);
    expect([...after(pieces, { ...ground, how: "here" })]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect([...after(pieces, { ...ground, how: "split" })]).toEqual([1, 1, 1, 0, 1, 0, 5, 5, 0]);
  });

  test("finds the box of a label", () => {
    const one = new Uint8Array(voxelCount(shape));
    expect(boxAround(one, shape, 1)).toBeNull();
    one[flatIndex(shape, [2, 1, 3])] = one[flatIndex(shape, [4, 3, 0])] = 1;
    expect(boxAround(one, shape, 1)).toEqual({ start: [2, 1, 0], stop: [5, 4, 4] });
  });
});

describe("a preview", () => {
  test.each(EVERY_PLANE)("shows a slice as it would be, in plane %#", (plane) => {
    const mask = blob(SHAPE, 6).map((is) => 2 * is);
    const edit = permitted(
      mask,
      [
        [3, 50, 1],
        [70, 9, 0],
      ],
      () => true,
      new Set(),
    );
    const wanted = mask.slice();
    applyRuns(wanted, edit.forward);
    for (let number = 0; number < SHAPE[plane.slice_axis]!; number++) {
      const slice = sliceOf(plane, SHAPE, number);
      const ghost = ghostOf(mask, edit.forward, slice, plane, SHAPE);
      for (let at = 0; at < slice.width * slice.height; at++) {
        const index = slice.start + (at % slice.width) * slice.right + Math.floor(at / slice.width) * slice.down;
        const lost = wanted[index] !== mask[index] && mask[index] !== 0 ? 1 : 0;
        expect([ghost?.after[at] ?? mask[index], ghost?.lost[at] ?? 0]).toEqual([wanted[index], lost]);
      }
    }
  });
});
