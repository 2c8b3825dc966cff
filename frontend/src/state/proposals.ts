/** A proposal that comes while its case is open: shown at once, put into the draft when nothing would be lost. */

import { effect } from "@preact/signals";
import { readCaseOutlook, readHiddenProposal, readPrediction, readPredictionMask, readProject, readUncertainty } from "../api/calls";
import { type Watch, watchProposals } from "../api/stream";
import type { Prediction } from "../api/types";
import { mayChange } from "../edits/locks";
import { mixed, wholeOf } from "../edits/mix";
import { overlap } from "../edits/nested";
import { applyRuns, difference } from "../edits/runs";
import { voxelCount } from "../geometry/plane";
import { receiveMask } from "../volume/download";
import { outlined, proposalShown } from "./display";
import { tell, tellError } from "./notices";
import { previewFirst, previewOpen } from "./previewing";
import { sayLocked } from "./segments";
import type { CaseSession } from "./session";

/** Listens only while a better proposal can come: when a newer model exists than the one that proposed. */
export function followProposals(session: CaseSession): () => void {
  let watch: Watch | null = null;
  let left = false;
  void mayImprove(session).then((may) => {
    if (!may || left) return;
    watch = watchProposals(session.project.id, ({ case_id, prediction_id }) => {
      if (case_id === session.header.id && prediction_id !== session.prediction.value?.id) void take(session, prediction_id).catch(nothing);
    });
  }, nothing);
  return () => {
    left = true;
    watch?.close();
  };
}

async function mayImprove(session: CaseSession): Promise<boolean> {
  if (session.proposalHidden.value) return false; // it comes with the first edit
  const shown = session.opened.prediction;
  const { model } = shown ? session.project : await readProject(session.project.id);
  if (shown?.model_index === null) return false; // two models are compared, nobody is offered the other one's
  return model !== null && (shown === null || shown.model_index < model.index);
}

function nothing(): void {
  // The case is drawn without a newer proposal.
}

/** After the first edit is saved, the proposal that was hidden is drawn beside it; nothing of it is in the draft. */
export function revealProposal(session: CaseSession): () => void {
  return effect(() => {
    if (!session.proposalHidden.value || !session.draft.value || session.draft.value.revision.value === 0) return;
    session.proposalHidden.value = false;
    void readHiddenProposal(session.project.id, session.assignmentId)
      .then((prediction) => prediction && receive(session, prediction))
      .then(() => {
        if (session.closed || !session.proposal.value) return;
        session.offered.value = null; // it is in the panel, to be taken there
        proposalShown.value = true;
        tell("info", `${proposalOf(session.prediction.value!.model_index)} is drawn dashed beside what you drew`);
      }, tellError);
  });
}

/** The place in the round and the verdict, for the strip above Submit. */
export function followOutlook(session: CaseSession): () => void {
  return effect(() => {
    session.proposalHidden.value;
    session.prediction.value;
    void readCaseOutlook(session.project.id, session.assignmentId).then((found) => (session.outlook.value = found), nothing);
  });
}

async function take(session: CaseSession, predictionId: string): Promise<void> {
  await receive(session, await readPrediction(session.project.id, predictionId));
}

async function receive(session: CaseSession, prediction: Prediction): Promise<void> {
  const { project, header } = session;
  const predictionId = prediction.id;
  if (project.kind === "classification") {
    session.prediction.value = prediction;
    return;
  }
  const voxels = voxelCount(header.shape);
  const mask = await receiveMask(await readPredictionMask(project.id, predictionId), voxels);
  const uncertainty = await readUncertainty(project.id, predictionId).then(
    (response) => receiveMask(response, voxels),
    () => null,
  );
  if (session.closed) return;
  session.prediction.value = prediction;
  session.proposal.value = mask;
  session.uncertainty.value = uncertainty;
  session.offered.value = { prediction, mask };
  const draft = session.draft.value;
  const untouched = draft !== null && draft.revision.value === 0 && draft.pending.value === 0 && beganBlank(session) && !previewOpen(session);
  if (!untouched || session.opened.prediction !== null) return;
  session.sight.renew();
  adoptOffer(session);
}

/** Somebody's annotation, or a proposal that was looked at, is never exchanged unasked. */
function beganBlank({ opened }: CaseSession): boolean {
  const { base } = opened.assignment;
  return base ? base.kind === "blank" : opened.previous === null;
}

/** The draft becomes the newer proposal. */
export function adoptOffer(session: CaseSession): void {
  const offer = session.offered.value;
  if (!offer || !become(session, offer.mask)) return;
  session.offered.value = null;
  tell("info", `${proposalOf(offer.prediction.model_index)} is in the draft`, "Undo takes it back");
}

/** Nobody is told whose it is while two models are compared. */
function proposalOf(index: number | null): string {
  return index === null ? "The proposal" : `The proposal of model ${index}`;
}

/** All of the proposal again. */
export function takeProposal(session: CaseSession): void {
  const mask = session.proposal.value;
  if (!mask) return tell("info", "There is no proposal of this case");
  if (become(session, mask)) tell("info", "The draft is the proposal now", "Undo takes it back");
}

/** Nothing of the proposal, nor of what was drawn on it. */
export function rejectProposal(session: CaseSession): void {
  const { draft } = session;
  if (draft.value && become(session, new Uint8Array(draft.value.mask.length)))
    tell("info", "The proposal is rejected: the draft is empty", "Undo takes it back");
}

/** Outlines of the draft and of the proposal, without fills; again: as before. */
export function compareProposal(): void {
  const both = outlined.value && proposalShown.value;
  outlined.value = proposalShown.value = !both;
}

/** One step of undo, one patch; false where it cannot be done now. */
function become(session: CaseSession, wanted: Uint8Array): boolean {
  const draft = session.draft.value;
  if (!draft || session.refining.value || session.conflict.value || session.busy.value !== "" || previewFirst(session)) return false;
  session.drag?.finish();
  const kept = new Set<number>();
  const edit = difference(
    draft.mask,
    mixed(draft.mask, wanted, session.header.shape, wholeOf(session.header.shape), mayChange({ ...session.locks, land: undefined }), kept),
  );
  applyRuns(draft.mask, edit.forward);
  draft.commit({ ...edit, exact: overlap(session.project.labels) });
  sayLocked(session, kept);
  return true;
}
