/** How things are drawn and which tool is in the hand; kept across cases and visits. */
import { signal } from "@preact/signals";
import { keptSignal } from "./kept";

export type Tool = "navigate" | "brush" | "eraser" | "fill" | "window";

export const tool = keptSignal<Tool>("tool", "navigate");
/** 0 until somebody chose a size; then a case's own voxels give a first one. */
export const brushRadiusMm = keptSignal<number>("brush-radius-mm", 0);
export const ballBrush = keptSignal<boolean>("ball-brush", false);
/** Paint over background only, never over another label. */
export const keepOthers = keptSignal<boolean>("keep-others", false);

export const maskShown = signal(true);
export const maskOpacity = keptSignal<number>("mask-opacity", 0.45);
export const outlined = keptSignal<boolean>("outlined", false);
export const proposalShown = keptSignal<boolean>("proposal-shown", false);
export const doubtShown = keptSignal<boolean>("doubt-shown", true);
export const doubtOpacity = keptSignal<number>("doubt-opacity", 0.6);
export const smooth = keptSignal<boolean>("smooth", true);
export const crosshairShown = keptSignal<boolean>("crosshair-shown", true);
/** Classification: a class key answers and goes on at once. */
export const oneKeyAnswers = keptSignal<boolean>("one-key-answers", false);

export const helpShown = signal(false);

const SMALLEST_MM = 0.05;
const LARGEST_MM = 200;

export function resizeBrush(factor: number): void {
  brushRadiusMm.value = Math.min(LARGEST_MM, Math.max(SMALLEST_MM, brushRadiusMm.value * factor));
}
