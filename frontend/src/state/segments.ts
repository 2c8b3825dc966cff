/** The segments of a project as a reader has them: which are locked and hidden, their colours, how large they are. */
import { type Signal, signal } from "@preact/signals";
import type { CaseHeader, Label, Project } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import { voxelCount } from "../geometry/plane";
import { tell } from "./notices";

type Values = ReadonlySet<number>;

/** What holds for all cases of a project. */
export class Segments {
  /** Remembered by this browser, since somebody relies on it. */
  readonly locked: Signal<Values>;
  /** Colours changed since the project was read. */
  readonly colours = signal<ReadonlyMap<number, string>>(new Map());

  constructor(private readonly project: string) {
    const kept = readKept(`locked.${project}`, "");
    this.locked = signal(new Set(kept.split(" ").filter(Boolean).map(Number)));
  }

  toggleLock(value: number): void {
    this.locked.value = toggled(this.locked.value, value);
    writeKept(`locked.${this.project}`, [...this.locked.value].join(" "));
  }
}

const known = new WeakMap<Project, Segments>();

export function segmentsOf(project: Project): Segments {
  const segments = known.get(project) ?? new Segments(project.id);
  known.set(project, segments);
  return segments;
}

export function toggled(values: Values, value: number): Values {
  const next = new Set(values);
  if (!next.delete(value)) next.add(value);
  return next;
}

/** Say which locked labels kept something from changing; silent when none did. */
export function sayLocked(
  { labels, segments }: { labels: readonly Label[]; segments: Segments },
  values: Values,
  what: "stroke" | "answer" | "step" = "stroke",
): void {
  const kept = labels.filter(({ value }) => values.has(value) && segments.locked.value.has(value));
  if (kept.length === 0) return;
  const names = kept.map(({ name }) => `“${name}”`).join(", ");
  const message =
    what === "step" ? `This step would change ${names}, which is locked, so nothing was changed` : `${names} is locked: its voxels stay as they were`;
  tell("info", message, "unlock it in the table of segments, or with Shift + L");
}

/** How large so many voxels are: ml of a volume, an area of a picture, and a number where the size of voxels is not known. */
export function sizeText(voxels: number, { affine, shape, planes, sized, spaced }: CaseHeader): string {
  if (shape[2] === 1 && sized) {
    const { x_spacing_mm, y_spacing_mm } = planes[0]!;
    const area = voxels * x_spacing_mm * y_spacing_mm;
    return area < 100 ? `${digits(area)} mm²` : `${digits(area / 100)} cm²`;
  }
  if (!spaced || shape[2] === 1) return `${voxels} ${shape[2] === 1 ? "px" : "voxels"}`;
  return `${digits((voxels * voxelMm3(affine)) / 1000)} ml`;
}

/** By the affine: slices of a tilted gantry are no right-angled boxes. */
function voxelMm3(affine: number[][]): number {
  const [a, b, c] = affine as [number[], number[], number[]];
  const minor = (x: number, y: number): number => b[x]! * c[y]! - b[y]! * c[x]!;
  return Math.abs(a[0]! * minor(1, 2) - a[1]! * minor(0, 2) + a[2]! * minor(0, 1));
}

function digits(value: number): string {
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value >= 1 ? value.toFixed(1) : Number(value.toPrecision(2)).toString();
}

/** How much of the image that is, for a tooltip. */
export const shareText = (voxels: number, { shape }: CaseHeader): string => `${voxels} voxels, ${digits((100 * voxels) / voxelCount(shape))} % of the image`;
