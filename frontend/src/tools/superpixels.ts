/** Superpixels of a slice, cut by the server: their outlines, and clicks that give them a label or take it back. */
import { getJson } from "../api/client";
import type { PlaneHeader, Superpixels, Triple } from "../api/types";
import { flatIndex, type Pixel, pixelOfVoxel, sliceOf, strides, voxelOfIndex } from "../geometry/plane";
import { pointOfPixel } from "../geometry/viewport";
import type { MarkScene } from "../render/marks";
import { tellError } from "../state/notices";
import type { CaseSession } from "../state/session";

export type SuperpixelMark = { kind: "superpixel"; runs: [start: number, length: number][]; label: number };

/** The number of each voxel of a slice, the earlier of its two axes fastest. */
export interface Cut {
  axis: number;
  index: number;
  numbers: Int32Array;
}

const OUTLINE = ["rgba(0,0,0,0.6)", "#ffe27a"] as const;
const CHOSEN_OPACITY = 0.4;

export function unpackCut({ axis, index, runs }: Superpixels): Cut {
  const numbers = new Int32Array(runs.reduce((sum, [, length]) => sum + length, 0));
  let at = 0;
  for (const [number, length] of runs) {
    numbers.fill(number, at, at + length);
    at += length;
  }
  return { axis, index, numbers };
}

/** Where a voxel of the slice stands in its cut. */
const placeIn = (axis: number, shape: Triple, voxel: Triple): number => {
  const [first, second] = [0, 1, 2].filter((a) => a !== axis) as [number, number];
  return voxel[first]! + shape[first]! * voxel[second]!;
};

/** The superpixel at a voxel as runs of flat indexes, in order. */
export function runsAt({ axis, index, numbers }: Cut, shape: Triple, voxel: Triple): [number, number][] {
  const wanted = numbers[placeIn(axis, shape, voxel)]!;
  const [first, second] = [0, 1, 2].filter((a) => a !== axis) as [number, number];
  const step = strides(shape);
  const runs: [number, number][] = [];
  numbers.forEach((number, n) => {
    if (number !== wanted) return;
    const flat = index * step[axis]! + (n % shape[first]!) * step[first]! + Math.floor(n / shape[first]!) * step[second]!;
    const last = runs.at(-1);
    if (last && last[0] + last[1] === flat) last[1]++;
    else runs.push([flat, 1]);
  });
  return runs;
}

const holds = ({ runs }: SuperpixelMark, flat: number): boolean => runs.some(([start, length]) => flat >= start && flat < start + length);

/** The marks after a click: the superpixel gets the label; where it has it already it is taken back. */
export function toggled<M extends { kind: string }>(marks: readonly M[], cut: Cut, shape: Triple, voxel: Triple, label: number): (M | SuperpixelMark)[] {
  const flat = flatIndex(shape, voxel);
  const own = (mark: M | SuperpixelMark): mark is SuperpixelMark => mark.kind === "superpixel" && holds(mark as SuperpixelMark, flat);
  const before = marks.filter(own) as unknown as SuperpixelMark[];
  const others = marks.filter((mark) => !own(mark));
  return before.some((mark) => mark.label === label) ? others : [...others, { kind: "superpixel", runs: runsAt(cut, shape, voxel), label }];
}

/** The cuts of a case, fetched once each; `arrived` is called when one is there. */
export class Cuts {
  private readonly known = new Map<string, Cut | null>();

  constructor(
    private readonly session: CaseSession,
    private readonly arrived: () => void,
  ) {}

  /** Null until it is there. */
  at(axis: number, index: number): Cut | null {
    const key = `${axis}.${index}`;
    if (!this.known.has(key)) void this.fetch(key, axis, index);
    return this.known.get(key) ?? null;
  }

  private async fetch(key: string, axis: number, index: number): Promise<void> {
    const { project, header } = this.session;
    this.known.set(key, null);
    try {
      this.known.set(key, unpackCut(await getJson<Superpixels>(`/projects/${project.id}/cases/${header.id}/superpixels?axis=${axis}&index=${index}`)));
      this.arrived();
    } catch (error) {
      this.known.delete(key);
      tellError(error);
    }
  }
}

type Scene = Omit<MarkScene, "colourOf">;

/** Steps between drawn pixels as a matrix of the pane. */
function matrixOf({ place }: Scene): DOMMatrix {
  const [o, x, y] = [pointOfPixel(place, { x: 0, y: 0 }), pointOfPixel(place, { x: 1, y: 0 }), pointOfPixel(place, { x: 0, y: 1 })];
  return new DOMMatrix([x.x - o.x, x.y - o.y, y.x - o.x, y.y - o.y, o.x, o.y]);
}

const outlines = new WeakMap<Cut, Map<string, Path2D>>();

/** Borders between superpixels, in pixels of the plane. */
function bordersOf(cut: Cut, plane: PlaneHeader, shape: Triple): Path2D {
  const made = outlines.get(cut)?.get(plane.name);
  if (made) return made;
  const path = new Path2D();
  const { start, right, down, width, height } = sliceOf(plane, shape, cut.index);
  const at = (x: number, y: number): number => cut.numbers[placeIn(cut.axis, shape, voxelOfIndex(shape, start + x * right + y * down))]!;
  const line = (from: Pixel, to: Pixel): void => {
    path.moveTo(from.x, from.y);
    path.lineTo(to.x, to.y);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x + 1 < width && at(x, y) !== at(x + 1, y)) line({ x: x + 0.5, y: y - 0.5 }, { x: x + 0.5, y: y + 0.5 });
      if (y + 1 < height && at(x, y) !== at(x, y + 1)) line({ x: x - 0.5, y: y + 0.5 }, { x: x + 0.5, y: y + 0.5 });
    }
  }
  outlines.set(cut, (outlines.get(cut) ?? new Map<string, Path2D>()).set(plane.name, path));
  return path;
}

export function drawOutlines(context: CanvasRenderingContext2D, cut: Cut, scene: Scene): void {
  const path = new Path2D();
  path.addPath(bordersOf(cut, scene.plane, scene.shape), matrixOf(scene));
  OUTLINE.forEach((colour, n) => {
    context.lineWidth = 2.5 - 1.5 * n;
    context.strokeStyle = colour;
    context.stroke(path);
  });
}

/** Superpixels that have a label, filled in its colour where they touch the slice. */
export function drawChosen(context: CanvasRenderingContext2D, marks: readonly SuperpixelMark[], scene: Scene, colourOf: (label: number) => string): void {
  const matrix = matrixOf(scene);
  const axis = scene.plane.slice_axis;
  for (const { runs, label } of marks) {
    const inside = new Path2D();
    for (const [start, length] of runs) {
      for (let flat = start; flat < start + length; flat++) {
        const voxel = voxelOfIndex(scene.shape, flat);
        if (voxel[axis] !== scene.number) continue;
        const { x, y } = pixelOfVoxel(scene.plane, scene.shape, voxel);
        inside.rect(x - 0.5, y - 0.5, 1, 1);
      }
    }
    const path = new Path2D();
    path.addPath(inside, matrix);
    context.globalAlpha = CHOSEN_OPACITY;
    context.fillStyle = colourOf(label);
    context.fill(path);
  }
  context.globalAlpha = 1;
}
