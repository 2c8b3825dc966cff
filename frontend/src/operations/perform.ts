/** Everything that a worker can work out: from a block of labels (and values) to the runs that it wants. Which of them are allowed is decided by who asked. */
import type { Region, Triple } from "../api/types";
import { flatIndex } from "../geometry/plane";
import type { Voxels } from "../volume/volume";
import { boxAround, cut, extentOf, runsOf, widened } from "./block";
import { type CarryTerms, carried, placesIn } from "./carry";
import { dilated, eroded } from "./distance";
import { type FloodTerms, flooded } from "./flood";
import { islandsOf } from "./islands";
import { type Smoothing, smoothed } from "./smooth";

/** Labels of a box in a volume, and the label that is worked on. */
interface Ground {
  mask: Uint8Array;
  box: Region;
  /** The shape of the whole volume. */
  whole: Triple;
  spacing: Triple;
  label: number;
}

export type IslandsKept = "largest" | "sized" | "here" | "split";

export type Task = Ground &
  (
    | { kind: "clear"; all: boolean }
    | { kind: "copy"; from: Uint8Array }
    | { kind: "smooth"; how: Smoothing; mm: number }
    /** Shrinks where negative. */
    | { kind: "margin"; mm: number }
    /** `least`: voxels of what stays; `at`: the voxel whose island stays; `free`: labels for further islands. */
    | { kind: "islands"; how: IslandsKept; least: number; at: Triple; free: readonly number[] }
    | ({ kind: "flood"; values: Voxels } & FloodTerms)
    | ({ kind: "carry"; values: Voxels } & Omit<CarryTerms, "step">)
  );

/** Packed runs of the whole volume, in order; see `unpacked`. */
export function perform(task: Task): Int32Array {
  const { mask, box, whole, label } = task;
  if (task.kind === "clear") return runsOf(box, whole, (at) => ((task.all ? mask[at] : mask[at] === label) ? 0 : null));
  if (task.kind === "copy") return runsOf(box, whole, (at) => (task.from[at] === label ? label : mask[at] === label ? 0 : null));
  if (task.kind === "flood") {
    const reached = flooded(task.values, mask, extentOf(box), task.spacing, task);
    return runsOf(box, whole, (at) => (reached[at] ? label : null));
  }
  return task.kind === "carry" ? carry(task) : reshape(task);
}

type Reshaping = Extract<Task, { kind: "smooth" | "margin" | "islands" }>;

/** What changes a label by its form: only the part of the box in which that can matter is worked on. */
function reshape(task: Reshaping): Int32Array {
  const { mask, box, whole, spacing, label } = task;
  const extent = extentOf(box);
  const own = boxAround(mask, extent, label);
  if (!own) return new Int32Array();
  const part = widened(own, reachMm(task), spacing, extent);
  const size = extentOf(part);
  const inside = cut(mask, extent, part).map((value) => (value === label ? 1 : 0));
  const placed: Region = { start: added(part.start, box.start), stop: added(part.stop, box.start) };
  if (task.kind === "islands") return keepIslands(task, inside, placed);
  const wanted =
    task.kind === "smooth"
      ? smoothed(inside, size, spacing, task.how, task.mm)
      : task.mm < 0
        ? eroded(inside, size, spacing, -task.mm)
        : dilated(inside, size, spacing, task.mm);
  return runsOf(placed, whole, (at) => (wanted[at] === inside[at] ? null : wanted[at] ? label : 0));
}

function reachMm(task: Reshaping): number {
  if (task.kind === "islands") return 0;
  return task.kind === "smooth" && task.how === "gaussian" ? 3 * task.mm : Math.max(0, task.mm) + Math.max(...task.spacing);
}

function keepIslands({ whole, how, least, at, free }: Extract<Task, { kind: "islands" }>, inside: Uint8Array, box: Region): Int32Array {
  const size = extentOf(box);
  const { of, sizes } = islandsOf(inside, size);
  const here = at.every((n, axis) => n >= box.start[axis]! && n < box.stop[axis]!)
    ? of[flatIndex(size, at.map((n, axis) => n - box.start[axis]!) as Triple)]!
    : 0;
  const becomes = sizes.map((voxels, n) => {
    if (how === "split") return n === 0 ? null : (free[n - 1] ?? null);
    return (how === "largest" && n === 0) || (how === "sized" && voxels >= least) || (how === "here" && n + 1 === here) ? null : 0;
  });
  return runsOf(box, whole, (place) => (of[place] ? becomes[of[place]! - 1]! : null));
}

/** Both ways from the drawn slice. */
function carry(task: Extract<Task, { kind: "carry" }>): Int32Array {
  const { mask, values, box, whole, spacing, label, axis } = task;
  const size = extentOf(box);
  const [x, y] = [0, 1, 2].filter((n) => n !== axis) as [number, number];
  const given = new Uint8Array(mask.length);
  for (const step of [1, -1] as const) {
    for (const [n, pixels] of carried(values, mask, size, spacing, label, { ...task, step })) {
      placesIn(size, axis, x, y, n).forEach((at, pixel) => (given[at] = pixels[pixel]!));
    }
  }
  return runsOf(box, whole, (at) => (given[at] ? label : null));
}

const added = (a: Triple, b: Triple): Triple => a.map((n, axis) => n + b[axis]!) as Triple;
