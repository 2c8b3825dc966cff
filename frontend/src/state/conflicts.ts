/** A patch was refused: read what the server has, go on silently when nothing differs, else let the reader choose. */
import * as calls from "../api/calls";
import { ApiError, explain, isPassing } from "../api/errors";
import type { Draft } from "../edits/draft";
import { fitPatches } from "../edits/recovery";
import { voxelCount } from "../geometry/plane";
import { reportEffort } from "./effort";
import { tellError } from "./notices";
import { recallPrompts } from "./refining";
import { attachQueue, readSavedDraft } from "./saving";
import type { CaseSession, Conflict } from "./session";

const RETRY_MS = 2000;

export async function settleRefusal(session: CaseSession, draft: Draft, error: unknown): Promise<void> {
  const pending = [...session.queue!.unconfirmed()];
  const waiting = pending.length;
  const { message, remedy } = explain(error);
  if (!(error instanceof ApiError) || error.status !== 409) {
    session.conflict.value = { title: "The server refused an edit", message, remedy, saved: await readSaved(session), patches: pending, waiting };
    return;
  }
  const saved = await readSaved(session);
  if (session.closed) return;
  const fit = fitPatches(saved.mask, saved, pending);
  const conflict: Conflict = {
    title: "This case was changed elsewhere",
    message: `Another window saved it since: it is at revision ${saved.revision}, your edits began at ${session.queue!.revision}`,
    remedy: "",
    saved,
    patches: fit.patches,
    waiting,
  };
  if (fit.clean) takeOnTop(session, draft, conflict);
  else session.conflict.value = conflict;
}

/** Our unsaved edits go on top of what the server has. */
export function takeOnTop(session: CaseSession, draft: Draft, conflict: Conflict): void {
  session.drag?.finish(); // a stroke in the making belongs to the edits that go on top
  const later = session.queue!.unconfirmed().slice(conflict.waiting);
  const patches = [...conflict.patches, ...later];
  settle(session, draft, conflict, patches);
}

/** The server's version stays; our unsaved edits are dropped because the reader said so. */
export function takeSaved(session: CaseSession, draft: Draft, conflict: Conflict): void {
  session.drag?.finish();
  settle(session, draft, conflict, []);
}

function settle(session: CaseSession, draft: Draft, conflict: Conflict, patches: Conflict["patches"]): void {
  if (!conflict.saved) return;
  const old = session.queue!;
  session.sight.renew();
  const before = draft.mask.slice();
  draft.reset(conflict.saved.mask);
  session.annotated.value = conflict.saved.annotated; // what goes on top adds the labels that it draws
  draft.adopt(conflict.saved.assignment === session.assignmentId ? patches : patches.map(({ runs }) => ({ runs })));
  const held = draft.held(before);
  if (held.length > 0) {
    draft.adopt([{ runs: held }]);
    patches = [...patches, { runs: held }];
  }
  if (conflict.saved.assignment === session.assignmentId) {
    old.restart(conflict.saved.revision, patches);
  } else {
    void reportEffort(session);
    const fresh = attachQueue(session, draft, conflict.saved.assignment, conflict.saved.revision, settleRefusal);
    patches.forEach(({ runs }) => fresh.push(runs));
    old.restart(0, []);
    old.close();
    draft.attach(fresh);
  }
  session.conflict.value = null;
  void recallPrompts(session, draft).catch(tellError);
}

/** The assignment may have been closed elsewhere; opening the case again gives the one that is open now. */
async function readSaved(session: CaseSession): Promise<NonNullable<Conflict["saved"]>> {
  for (;;) {
    try {
      const reopen = session.purpose === "decide" ? calls.editCase : calls.openCase;
      const { assignment } = await reopen(session.project.id, session.header.id);
      const draft = await readSavedDraft(session.project.id, assignment.id, voxelCount(session.header.shape));
      return { assignment: assignment.id, annotated: new Set(assignment.annotated), ...draft };
    } catch (error) {
      if (!isPassing(error) || session.closed) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
