/** `window.medloop`: a read-only look into the page for tests and for support. Nothing here changes anything. */
import type { PlaneName, Triple } from "../api/types";
import { measures } from "../browser/measures";
import { flatIndex, pixelOfVoxel } from "../geometry/plane";
import { placeSlice, pointOfPixel } from "../geometry/viewport";
import { valueAt } from "../volume/volume";
import { brushRadiusMm, tool } from "./display";
import { current } from "./session";

export interface Inspection {
  readonly caseId: string | null;
  readonly assignmentId: string | null;
  /** Number of the last patch the server confirmed. */
  readonly revision: number;
  readonly saved: "saved" | "saving" | "offline" | "refused" | "none";
  readonly pending: number;
  /** Whether the whole volume and the draft are there, so that tools work. */
  readonly ready: boolean;
  /** Whether it has been on the screen for long enough to be submitted. */
  readonly seen: boolean;
  readonly lastPaintMs: number;
  readonly firstImageMs: number;
  readonly completeMs: number;
  readonly crosshair: Triple | null;
  readonly window: { low: number; high: number } | null;
  readonly tool: string;
  readonly brushRadiusMm: number;
  readonly effortSeconds: number;
  /** Prompts in force, in order. */
  readonly prompts: readonly unknown[];
  /** Whether the answer to a prompt is out. */
  readonly refining: boolean;
  /** Runs that a preview shows; null without one. */
  readonly preview: readonly unknown[] | null;
  readonly engine: string;
  readonly refinedQuality: number | null;
  /** Label of a voxel in the draft, null without one. */
  labelAt(i: number, j: number, k: number): number | null;
  valueAt(i: number, j: number, k: number, channel?: number): number | null;
  /** Voxels per label value in the draft. */
  labelCounts(): Record<number, number>;
  /** Where a voxel's centre is drawn, in client coordinates; null when that plane is not on the screen. */
  pointOf(plane: PlaneName, i: number, j: number, k: number): { x: number; y: number } | null;
}

export function exposeInspection(): void {
  Object.defineProperty(window, "medloop", { value: Object.freeze(inspection), enumerable: true });
}

const inspection: Inspection = {
  get caseId() {
    return current.value?.header.id ?? null;
  },
  get assignmentId() {
    return current.value?.assignmentId ?? null;
  },
  get revision() {
    return current.value?.draft.value?.revision.value ?? 0;
  },
  get saved() {
    return current.value?.draft.value?.saveState.value ?? "none";
  },
  get pending() {
    return current.value?.draft.value?.pending.value ?? 0;
  },
  get ready() {
    return current.value?.ready.value ?? false;
  },
  get seen() {
    return current.value?.sight.isOver(performance.now()) ?? false;
  },
  get lastPaintMs() {
    return measures.lastPaintMs;
  },
  get firstImageMs() {
    return measures.firstImageMs;
  },
  get completeMs() {
    return measures.completeMs;
  },
  get crosshair() {
    return current.value ? ([...current.value.crosshair.value] as Triple) : null;
  },
  get window() {
    return current.value ? { ...current.value.window.value } : null;
  },
  get tool() {
    return tool.value;
  },
  get brushRadiusMm() {
    return brushRadiusMm.value;
  },
  get effortSeconds() {
    return current.value?.effort.seconds(performance.now()) ?? 0;
  },
  get prompts() {
    return structuredClone(current.value?.draft.value?.prompts.inForce.value ?? []);
  },
  get refining() {
    return current.value?.refining.value ?? false;
  },
  get preview() {
    return structuredClone(current.value?.previews?.shown.value?.runs ?? null);
  },
  get engine() {
    return current.value?.engine.value ?? "";
  },
  get refinedQuality() {
    return current.value?.refinedQuality.value ?? null;
  },
  labelAt(i, j, k) {
    const session = current.value;
    return session?.draft.value?.mask[flatIndex(session.header.shape, [i, j, k])] ?? null;
  },
  valueAt(i, j, k, channel = 0) {
    const volume = current.value?.volume.value;
    return volume ? valueAt(volume, channel, [i, j, k]) : null;
  },
  labelCounts() {
    const counts: Record<number, number> = {};
    for (const value of current.value?.draft.value?.mask ?? []) if (value) counts[value] = (counts[value] ?? 0) + 1;
    return counts;
  },
  pointOf(plane, i, j, k) {
    const session = current.value;
    const index = session?.planes.findIndex((candidate) => candidate.name === plane) ?? -1;
    const pane = document.querySelector(`[data-testid="pane-${plane}"]`);
    if (!session || index < 0 || !pane) return null;
    const box = pane.getBoundingClientRect();
    const header = session.planes[index]!;
    const place = placeSlice(header, session.header.shape, box.width, box.height, session.views[index]!.value);
    const point = pointOfPixel(place, pixelOfVoxel(header, session.header.shape, [i, j, k]));
    return { x: box.left + point.x, y: box.top + point.y };
  },
};
