/** The preview of prompts on the case on the screen: shown as a ghost outline, accepted, refined, dropped. */

import * as calls from "../api/calls";
import { ApiError } from "../api/errors";
import type { Prompt, Refined } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import { type Changes, changesOf, written } from "../edits/changes";
import type { Draft } from "../edits/draft";
import { lockedLabels } from "../edits/locks";
import { sharedName } from "../edits/nested";
import { Previews, type Shown } from "../edits/previews";
import { alreadyApplied } from "../edits/runs";
import { flatIndex } from "../geometry/plane";
import { tell, tellFailed } from "./notices";
import { acceptKey } from "./preferences";
import type { Settle } from "./saving";
import { sizeText } from "./segments";
import type { CaseSession } from "./session";

export function attachPreviews(session: CaseSession, draft: Draft, settle: Settle): void {
  const { project } = session;
  const assignment = (): string => session.assignmentId;
  session.previews = new Previews({
    flushed: () => session.queue!.flushed(),
    revision: () => session.queue!.revision,
    locked: () => lockedLabels(session.locks, session.labels),
    ask: async (base, prompts, locked) => {
      const preview = await calls.previewPrompts(project.id, assignment(), base, prompts, locked);
      session.engine.value = preview.engine;
      return preview;
    },
    save: ({ base, prompts, locked, effect }) => calls.acceptPrompts(project.id, assignment(), base, prompts, locked, effect),
    accepted: (refined, { prompts }) => {
      session.sight.renew("The prompts were accepted only now");
      takeAnswer(session, draft, refined, prompts);
      if (!session.previews?.open) remember(session, 0);
    },
    refused: (error, shown) => refused(session, draft, error, shown, settle),
    onBusy: (busy) => (session.refining.value = busy || (session.refiner?.busy ?? false)),
  });
  sayDropped(session);
}

/** What an engine answered, and the server saved, becomes part of the draft: one step of undo. */
export function takeAnswer(session: CaseSession, draft: Draft, refined: Refined, prompts: readonly Prompt[]): void {
  refined.prompt_ids.forEach((id, n) => draft.prompts.add(id, prompts[n]!));
  session.change.value = changeText(session, changesOf(draft.mask, refined.runs));
  draft.accept(refined.runs, refined.revision, { restores: refined.prompt_ids });
}

/** Show what a prompt would do. */
export function show(session: CaseSession, prompt: Prompt): void {
  const previews = session.previews!;
  previews.give(prompt);
  remember(session, previews.prompts.value.length);
}

/** A click that says what the preview says already, where the preview changes something, is a yes. */
export function isSaid({ previews, header, draft }: CaseSession, prompt: Prompt): boolean {
  const shown = previews?.shown.value;
  const voxel = prompt.kind === "point" ? prompt.voxel : prompt.kind === "scribble" && prompt.voxels.length === 1 ? prompt.voxels[0] : undefined;
  if (!shown || !voxel || !("positive" in prompt)) return false;
  const index = flatIndex(header.shape, voxel);
  const value = written(shown.runs, index);
  if (value === undefined || value === draft.value!.mask[index]) return false;
  return prompt.positive ? value === prompt.label : draft.value!.mask[index] === prompt.label && value !== prompt.label;
}

export function accept(session: CaseSession): void {
  const outcome = session.previews!.accept();
  if (outcome === "computing") tell("info", "The last prompt is still being computed", "look at the result, then press again");
  if (outcome === "locks changed") tell("info", "The locks changed, so the preview is computed again", "look at it, then press again");
}

export function dropPreview(session: CaseSession): void {
  if (!session.previews!.drop()) return tell("info", "The preview is being saved", "Undo takes it back then");
  remember(session, 0);
}

/** Its last prompt was not meant. */
export function stepBack(session: CaseSession): void {
  session.previews!.back();
  remember(session, session.previews!.prompts.value.length);
}

export const previewOpen = ({ previews }: CaseSession): boolean => previews?.open ?? false;

/** Whether a preview must be accepted or dropped before anything else is done; says so. */
export function previewFirst(session: CaseSession, done = "nothing was changed"): boolean {
  if (!previewOpen(session)) return false;
  tell("info", `A preview is open, so ${done}`, `${acceptKey()} accepts it, Esc drops it`);
  return true;
}

/** The case is left: what was not accepted is gone, and that is said. */
export function leavePreview(session: CaseSession): void {
  if (!previewOpen(session)) return;
  session.previews!.drop();
  remember(session, 0);
  tell("info", `The preview on ${session.header.name} was not accepted, so it is dropped`);
}

/** "+2.3 ml liver; 1234 voxels change", "No change". */
export function changeText({ labels, header }: Pick<CaseSession, "labels" | "header">, { voxels, labels: changed }: Changes, verb = "change"): string {
  if (voxels === 0) return "No change: the mask is so already";
  const parts = changed.flatMap(({ label, gained, lost }) => {
    const name = labels.find(({ value }) => value === label)?.name ?? (sharedName(labels, label) || `label ${label}`);
    return [gained > 0 && `+${sizeText(gained, header)} ${name}`, lost > 0 && `−${sizeText(lost, header)} ${name}`].filter(Boolean);
  });
  return `${parts.join(", ")}; ${voxels} ${voxels === 1 ? `voxel ${verb}s` : `voxels ${verb}`}`;
}

/** A window that goes away takes an open preview with it; the next visit says so. */
const keyOf = ({ assignmentId }: CaseSession): string => `preview.${assignmentId}`;

function remember(session: CaseSession, prompts: number): void {
  writeKept(keyOf(session), prompts);
}

function sayDropped(session: CaseSession): void {
  const prompts = readKept(keyOf(session), 0);
  if (prompts === 0) return;
  remember(session, 0);
  tell("info", `A preview of ${prompts === 1 ? "1 prompt" : `${prompts} prompts`} was open when this case was left; it was not accepted and is gone`);
}

/** `shown`: what was to be saved; a reply that got lost is found out by what the draft holds now. */
async function refused(session: CaseSession, draft: Draft, error: unknown, shown: Shown | null, settle: Settle): Promise<void> {
  if (session.closed) return;
  if (!(error instanceof ApiError) || error.code !== "stale_revision")
    return tellFailed(shown ? "The preview was not accepted and is still open" : "The prompt was not applied", error);
  remember(session, 0);
  await settle(session, draft, error);
  if (shown && alreadyApplied(draft.mask, shown.runs)) tell("info", "The preview is saved already");
  else tell("warning", "This case was changed elsewhere, so the preview is gone", "look at the newer draft, then repeat it");
}
