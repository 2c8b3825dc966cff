/** How things are drawn and which tool is in the hand; kept across cases and visits. */
import { effect, signal } from "@preact/signals";
import type { Method } from "../api/types";
import { keptSignal, readKept, writeKept } from "../browser/kept";
import type { SlabMode } from "../render/slab";

/** "region" draws a box that says where, and changes nothing by itself. */
export type Tool =
  | "navigate"
  | "brush"
  | "eraser"
  | "push"
  | "fill"
  | OutlineTool
  | "flood"
  | "window"
  | "region"
  | "ruler"
  | "angle"
  | "ellipse"
  | "rectangle"
  | PromptTool;
/** Tools that end in a preview. */
export type OutlineTool = "polygon" | "freehand";
/** Tools whose marks an engine answers. */
export type PromptTool = "point" | "scribble" | "box" | "extremes" | "lasso";
export const PROMPT_TOOLS: readonly string[] = ["point", "scribble", "box", "extremes", "lasso"] satisfies PromptTool[];

export const tool = keptSignal<Tool>("tool", "navigate");
/** Whether the tool changes something, rather than how one looks. */
export const draws = (): boolean => tool.value !== "navigate" && tool.value !== "window";
/** Remembered per project: organs of a body and cells of a slide need different brushes. */
export const brushRadiusMm = signal(0);
export const ballBrush = keptSignal<boolean>("ball-brush", false);
/** Paint over background only, never over another label. */
export const keepOthers = keptSignal<boolean>("keep-others", false);

/** Clicks, strokes and outlines say "this is not the label". */
export const negative = signal(false);

/** What prompts do is saved at once, which saves a key per object; else it is shown first. */
export const acceptAtOnce = keptSignal<boolean>("accept-at-once", true);

export const maskShown = signal(true);
export const maskOpacity = keptSignal<number>("mask-opacity", 0.45);
export const outlined = keptSignal<boolean>("outlined", false);
export const proposalShown = keptSignal<boolean>("proposal-shown", false);
/** Off until somebody wants it: the image comes first. */
export const uncertaintyShown = keptSignal<boolean>("uncertainty-shown", false);
export const uncertaintyOpacity = keptSignal<number>("doubt-opacity", 0.6);
export const reasonMethod = keptSignal<Method>("reason-method", "grad-cam");
export const reasonOpacity = keptSignal<number>("reason-opacity", 0.6);
export const smooth = keptSignal<boolean>("smooth", true);
export const crosshairShown = keptSignal<boolean>("crosshair-shown", true);
/** Measurements are drawn on the planes. */
export const measurementsShown = signal(true);
/** Several slices as one picture; off in every new visit, since nothing is drawn on a slab. */
export const slab = signal<SlabMode>("off");
/** Its thickness in mm, in slices where their distance is not known. */
export const slabThickness = keptSignal<number>("slab-thickness", 10);
/** The 3D view of the segments. */
export const surfaceShown = signal(false);
/** Another series beside the case, where it has any. */
export const referenceShown = keptSignal<boolean>("reference-shown", true);
/** Counts how often the next one was wanted. */
export const nextReference = signal(0);
/** Classification: a class key answers and goes on at once. */
export const oneKeyAnnotates = keptSignal<boolean>("one-key-answers", false);

/** Counts how often the search among labels was wanted. */
export const labelSearch = signal(0);

export const helpShown = signal(false);
export const paletteShown = signal(false);

let brushProject = "";

/** Take the brush last used in a project, or a first one. */
export function takeBrush(project: string, firstRadiusMm: number): void {
  if (project === brushProject) return;
  const kept = readKept<number>(`brush.${project}`, 0);
  brushProject = "";
  brushRadiusMm.value = kept > 0 ? kept : firstRadiusMm;
  brushProject = project;
}

effect(() => {
  const radius = brushRadiusMm.value;
  if (brushProject) writeKept(`brush.${brushProject}`, radius);
});

const SMALLEST_MM = 0.05;
const LARGEST_MM = 200;

export function resizeBrush(factor: number): void {
  brushRadiusMm.value = Math.min(LARGEST_MM, Math.max(SMALLEST_MM, brushRadiusMm.value * factor));
}
