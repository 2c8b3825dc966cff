/** Prompts of the case on the screen: sent, answered into the draft, taken back. */
import * as calls from "../api/calls";
import { ApiError } from "../api/errors";
import type { Prompt, Refined } from "../api/types";
import type { Draft } from "../edits/draft";
import { lockedLabels } from "../edits/locks";
import { PromptQueue } from "../edits/promptqueue";
import { samePrompt } from "../edits/prompts";
import { acceptAtOnce, maskShown } from "./display";
import { mayDraw, reveal } from "./labelling";
import { tell, tellError, tellFailed } from "./notices";
import { accept, attachPreviews, isSaid, previewFirst, previewOpen, show, stepBack, takeAnswer } from "./previewing";
import type { Settle } from "./saving";
import { sayLocked } from "./segments";
import type { CaseSession } from "./session";

export function attachRefiner(session: CaseSession, draft: Draft, settle: Settle): void {
  session.refiner = new PromptQueue({
    flushed: () => session.queue!.flushed(),
    revision: () => session.queue!.revision,
    send: (base, prompts, locked) => calls.addPrompts(session.project.id, session.assignmentId, base, prompts, locked),
    apply: (refined, prompts) => take(session, draft, refined, prompts),
    refused: (error) => refused(session, draft, error, settle),
    onBusy: (busy) => (session.refining.value = busy || (session.previews?.busy ?? false)),
  });
  attachPreviews(session, draft, settle);
}

export function give(session: CaseSession, prompt: Prompt): void {
  const { refiner } = session;
  const draft = session.draft.value;
  const marking = session.marking.value;
  if (marking) return marking === "opening" ? undefined : marking.take(prompt);
  if (!refiner || !draft || session.conflict.value) return;
  const previews = session.previews!;
  const known = [...draft.prompts.inForce.value.map((given) => given.prompt), ...refiner.pending, ...previews.prompts.value];
  if (known.some((other) => samePrompt(other, prompt))) return;
  if (isSaid(session, prompt)) return accept(session);
  if (!mayDraw(session)) return;
  reveal(session);
  session.effort.did("prompts", performance.now());
  if (!acceptAtOnce.value || previews.open) show(session, prompt);
  else refiner.add(prompt, lockedLabels(session.locks, session.labels));
}

function take(session: CaseSession, draft: Draft, refined: Refined, prompts: readonly Prompt[]): void {
  takeAnswer(session, draft, refined, prompts);
  if (refined.runs.length === 0) tell("info", session.change.value);
  note(session, refined);
}

/** Take one prompt back, wherever it stands; the others are answered anew. */
export function removeGiven(session: CaseSession, id: string): void {
  const draft = session.draft.value;
  if (!draft || session.conflict.value || previewFirst(session)) return;
  session.chosenPrompt.value = null;
  session.refiner?.alone(async () => {
    if (!draft.prompts.inForce.value.some((given) => given.id === id)) return;
    await session.queue!.flushed();
    const refined = await calls.removePrompt(session.project.id, session.assignmentId, id, session.queue!.revision, [...session.locked.value]);
    draft.prompts.follow({ withdraws: [id] });
    draft.accept(refined.runs, refined.revision, { withdraws: [id] });
    note(session, refined);
  });
}

/** Fill the slices of a plane between those drawn on; one step of undo. */
export function fillSlices(session: CaseSession, plane: number): void {
  const draft = session.draft.value;
  if (!draft || session.conflict.value || previewFirst(session)) return;
  const locked = lockedLabels(session.locks, session.labels);
  session.refiner?.alone(async () => {
    await session.queue!.flushed();
    const axis = session.planes[plane]!.slice_axis;
    const filled = await calls.fillBetween(session.project.id, session.assignmentId, session.queue!.revision, axis, locked);
    maskShown.value = true;
    draft.accept(filled.runs, filled.revision, {});
    tell("info", `${filled.filled} slices filled between ${filled.drawn.length} drawn ones`);
    sayLocked(session, session.locked.value);
  });
}

function note(session: CaseSession, refined: Refined): void {
  session.refinedQuality.value = refined.quality;
  if (refined.engine) session.engine.value = refined.engine;
  if (refined.note) tell("info", refined.note);
}

/** Undo and redo wait for an answer that is out, so that they mean what the reader sees. */
export function step(session: CaseSession, which: "undo" | "redo"): void {
  const draft = session.draft.value;
  if (!draft) return;
  if (previewOpen(session)) return which === "undo" ? stepBack(session) : undefined;
  const act = (): void => {
    session.refinedQuality.value = null;
    session.chosenPrompt.value = null;
    session.change.value = "";
    draft[which]();
  };
  if (session.refiner?.busy) void session.refiner.settled().then(act);
  else act();
}

async function refused(session: CaseSession, draft: Draft, error: unknown, settle: Settle): Promise<void> {
  session.refusals++;
  if (session.closed) return;
  if (!(error instanceof ApiError) || error.code !== "stale_revision") return tellFailed("The prompt was not applied", error);
  await settle(session, draft, error);
  tell("warning", "This case was changed elsewhere, so the prompt was not applied", "look at the newer draft, then repeat it");
}

/** The prompts that the server knows: after a reload, or when the draft went another way. */
export async function recallPrompts(session: CaseSession, draft: Draft): Promise<void> {
  const log = await calls.readPrompts(session.project.id, session.assignmentId);
  draft.prompts.reset(log.prompts, log.in_force);
}

/** Have the engine look at the image while the reader looks for a place to click. */
export async function prepare(session: CaseSession): Promise<void> {
  if (session.engine.value || session.prepared) return;
  session.prepared = true;
  try {
    session.engine.value = (await calls.readyPrompts(session.project.id, session.assignmentId)).engine;
  } catch (error) {
    if (!session.closed) tellError(error);
    session.prepared = false;
  }
}
