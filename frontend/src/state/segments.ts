/** The segments of a project as a reader has them: which are locked and hidden, their colours, how large they are. */
import { type Signal, signal } from "@preact/signals";
import type { CaseHeader, Label, Project } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import { voxelCount } from "../geometry/plane";
import type { Range } from "../operations/flood";
import { tell } from "./notices";

type Values = ReadonlySet<number>;

/** What holds for all cases of a project. */
export class Segments {
  /** Remembered by this browser, since somebody relies on it. */
  readonly locked: Signal<Values>;
  /** Colours changed since the project was read. */
  readonly colours = signal<ReadonlyMap<number, string>>(new Map());
  /** Values that may be drawn on, both ends included, and whether that holds now; not kept, so that no tool is silently held back on another day. */
  readonly range = signal<Range | null>(null);
  readonly rangeUsed = signal(false);

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
  { labels, locked }: { labels: readonly Label[]; locked: { readonly value: Values } },
  values: Values,
  what: "stroke" | "answer" | "step" = "stroke",
): void {
  const has = ({ value, left }: Label): boolean => values.has(value) || [...values].some((one) => left?.[one] !== undefined);
  const kept = labels.filter((one) => has(one) && locked.value.has(one.value));
  if (kept.length === 0) return;
  const names = kept.map(({ name }) => `“${name}”`).join(", ");
  const message =
    what === "step" ? `This step would change ${names}, which is locked, so nothing was changed` : `${names} is locked: its voxels stay as they were`;
  tell("info", message, "unlock it in the table of segments");
}

/** How large a voxel is: in ml of a volume, in mm² of a picture, 1 where that is not known. */
export function measureOf({ affine, shape, planes, sized, spaced }: CaseHeader): { unit: "ml" | "mm²" | "px" | "voxels"; each: number } {
  if (shape[2] === 1) return sized ? { unit: "mm²", each: planes[0]!.x_spacing_mm * planes[0]!.y_spacing_mm } : { unit: "px", each: 1 };
  return spaced ? { unit: "ml", each: voxelMm3(affine) / 1000 } : { unit: "voxels", each: 1 };
}

/** How large so many voxels are: ml of a volume, an area of a picture, and a number where the size of voxels is not known. */
export function sizeText(voxels: number, header: CaseHeader): string {
  const { unit, each } = measureOf(header);
  const size = voxels * each;
  if (unit === "px" || unit === "voxels") return `${voxels} ${unit}`;
  return unit === "mm²" && size >= 100 ? `${digits(size / 100)} cm²` : `${digits(size)} ${unit}`;
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
