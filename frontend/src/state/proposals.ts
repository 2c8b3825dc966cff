/** A proposal that comes while its case is open: shown at once, put into the draft when nothing would be lost. */
import { readPrediction, readPredictionMask, readProject, readUncertainty } from "../api/calls";
import { type Watch, watchProposals } from "../api/stream";
import { mayChange } from "../edits/locks";
import { mixed, wholeOf } from "../edits/mix";
import { applyRuns, difference } from "../edits/runs";
import { voxelCount } from "../geometry/plane";
import { receiveMask } from "../volume/download";
import { tell } from "./notices";
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
  const shown = session.opened.prediction;
  const { model } = shown ? session.project : await readProject(session.project.id);
  return model !== null && (shown === null || shown.model_index < model.index);
}

function nothing(): void {
  // The case is drawn without a newer proposal.
}

async function take(session: CaseSession, predictionId: string): Promise<void> {
  const { project, header } = session;
  const prediction = await readPrediction(project.id, predictionId);
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

/** One step of undo, one patch: the draft becomes the newer proposal. */
export function adoptOffer(session: CaseSession): void {
  const [draft, offer] = [session.draft.value, session.offered.value];
  if (!draft || !offer || session.refining.value || session.conflict.value || session.busy.value !== "" || previewFirst(session)) return;
  session.drag?.finish();
  const kept = new Set<number>();
  const edit = difference(draft.mask, mixed(draft.mask, offer.mask, session.header.shape, wholeOf(session.header.shape), mayChange(session.locks), kept));
  applyRuns(draft.mask, edit.forward);
  draft.commit(edit);
  session.offered.value = null;
  tell("info", `The proposal of model ${offer.prediction.model_index} is in the draft`, "Ctrl + Z takes it back");
  sayLocked(session, kept);
}
