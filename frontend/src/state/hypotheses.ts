/** What else the model might have meant: a few distinct masks to look at, take, or take in part. */

import * as calls from "../api/calls";
import type { Region } from "../api/types";
import { unpackVoxels } from "../api/unpack";
import { mayChange } from "../edits/locks";
import { differences, mixed, sliceRegion, wholeOf } from "../edits/mix";
import { overlap } from "../edits/nested";
import { applyRuns, difference } from "../edits/runs";
import { voxelCount } from "../geometry/plane";
import type { Alternatives } from "./advice";
import { maskShown } from "./display";
import { hiddenYet, requireModel } from "./models";
import { tell } from "./notices";
import { previewFirst } from "./previewing";
import { askForBox } from "./region";
import { sayLocked } from "./segments";
import type { CaseSession } from "./session";

/** Draw the next (or previous) hypothesis; the first time, the model is asked. */
export async function stepHypothesis(session: CaseSession, by: 1 | -1): Promise<void> {
  const { alternatives } = session.advice;
  if (alternatives.pending || hiddenYet(session)) return;
  if (!alternatives.value) await alternatives.request((signal) => read(session, signal));
  const count = alternatives.value?.hypotheses.length ?? 0;
  if (session.closed || count === 0) return;
  const { value } = session.advice.hypothesis;
  showHypothesis(session, value < 0 ? (by > 0 ? 0 : count - 1) : (value + by + count) % count);
}

async function read(session: CaseSession, signal: AbortSignal): Promise<Alternatives> {
  await requireModel(session);
  const found = await calls.readHypotheses(session.project.id, session.header.id, signal);
  const voxels = voxelCount(session.header.shape);
  const unpack = async ({ mask, weight }: { mask: string; weight: number }) => ({ mask: await unpackVoxels(mask, voxels), weight });
  return { hypotheses: await Promise.all(found.hypotheses.map(unpack)), suggested: found.suggested_prompts };
}

export function showHypothesis(session: CaseSession, index: number): void {
  const { advice } = session;
  advice.hypothesis.value = index;
  const [draft, shown] = [session.draft.value, advice.drawnHypothesis];
  if (!draft || !shown) return;
  const plane = session.active.value;
  const counts = differences(draft.mask, shown.mask, session.header.shape, session.planes[plane]!.slice_axis);
  const most = counts.indexOf(Math.max(...counts));
  // Comparing at one place is wanted; an unchanged slice shows nothing to compare.
  if (counts[session.sliceNumber(plane)] === 0 && counts[most]! > 0) session.moveSlice(plane, most - session.sliceNumber(plane));
  advice.message.value = describe(
    session,
    counts.reduce((sum, n) => sum + n, 0),
    counts[session.sliceNumber(plane)]!,
  );
}

function describe({ advice, isPicture, sliceWord }: CaseSession, total: number, here: number): string {
  const { length } = advice.alternatives.value!.hypotheses;
  const share = `${Math.round(advice.drawnHypothesis!.weight * 100)} % of the model’s samples`;
  const line = length === 1 ? "One hypothesis only, all samples of the model agree" : `Hypothesis ${advice.hypothesis.value + 1} of ${length}, ${share}`;
  if (total === 0) return `${line}: the same as the mask as it stands`;
  return `${line}: differs from the mask in ${total} ${total === 1 ? "voxel" : "voxels"}${isPicture ? "" : `, ${here} of them in this ${sliceWord}`}`;
}

/** Whether one is drawn, awaited, or was refused. */
export function hypothesesOpen({ advice }: CaseSession): boolean {
  return advice.hypothesis.value >= 0 || !["none", "there"].includes(advice.alternatives.outcome.value.state);
}

/** Put them away; what was worked out is kept for the next look. */
export function hideHypotheses({ advice }: CaseSession): void {
  if (!advice.alternatives.value) advice.alternatives.callOff();
  advice.hypothesis.value = -1;
  advice.message.value = "";
}

/** The hypothesis that is drawn becomes the mask, as one step of undo: everywhere, or in the box (else the slice) only. */
export function takeHypothesis(session: CaseSession, extent: "whole" | "part"): void {
  const [draft, shown] = [session.draft.value, session.advice.drawnHypothesis];
  if (!draft || !shown || session.conflict.value || previewFirst(session)) return;
  if (session.refining.value) return tell("info", "The last prompt is still being computed", "take the hypothesis when the result is there");
  const { shape } = session.header;
  const region = extent === "whole" ? wholeOf(shape) : partOf(session);
  if (!region) return askForBox(session, "take this hypothesis in it");
  const kept = new Set<number>();
  const edit = difference(draft.mask, mixed(draft.mask, shown.mask, shape, region, mayChange({ ...session.locks, land: undefined }), kept));
  applyRuns(draft.mask, edit.forward);
  draft.commit({ ...edit, redo: { taken: true }, exact: overlap(session.project.labels) });
  sayLocked(session, kept);
  maskShown.value = true;
  session.advice.message.value =
    edit.forward.length === 0 ? "Nothing to take: the mask says the same there" : `${takenOf(session, extent)}; Undo takes it back`;
}

/** The drawn box; without one the slice in hand, which for a picture would be everything. */
function partOf(session: CaseSession): Region | null {
  const plane = session.active.value;
  if (session.advice.region.value || session.isPicture) return session.advice.region.value;
  return sliceRegion(session.header.shape, session.planes[plane]!.slice_axis, session.sliceNumber(plane));
}

function takenOf(session: CaseSession, extent: "whole" | "part"): string {
  const hypothesis = `Hypothesis ${session.advice.hypothesis.value + 1}`;
  if (extent === "whole") return `${hypothesis} is the mask now`;
  return session.advice.region.value ? `${hypothesis} is the mask inside the box now` : `${hypothesis} is the mask of this ${session.sliceWord} now`;
}
