/** The verbs of the annotation view: submit, skip, flag, and on to the next case. */
import * as calls from "../api/calls";
import { ApiError, isPassing } from "../api/errors";
import { forgetEffort } from "./effort";
import { dismissPassing, tell, tellError } from "./notices";
import { settleLooks } from "./places";
import { go, linkTo, route } from "./router";
import type { CaseSession } from "./session";

const RETRY_MS = 2000;
/** Where answered cases of this visit are, for going back. */
export const visited: string[] = [];

export async function submitSession(session: CaseSession): Promise<void> {
  if (session.busy.value || !mayBeSubmitted(session)) return;
  session.busy.value = session.queue && session.queue.pending > 0 ? "waiting" : "submitting";
  try {
    await session.refiner?.settled();
    await session.queue?.flushed();
    await settleLooks(session);
    session.busy.value = "submitting";
    await persist(session, () => calls.submit(session.project.id, session.assignmentId, submission(session)));
    leave(session);
  } catch (error) {
    if (!session.conflict.value) tellError(error);
  } finally {
    session.busy.value = "";
  }
}

export async function closeWithout(session: CaseSession, verb: "skip" | "flag", reason: string): Promise<void> {
  if (session.busy.value) return;
  session.busy.value = "submitting";
  try {
    await session.refiner?.settled();
    await session.queue?.flushed();
    await settleLooks(session);
    await persist(session, () => calls[verb](session.project.id, session.assignmentId, reason));
    leave(session);
  } catch (error) {
    tellError(error);
  } finally {
    session.busy.value = "";
  }
}

function mayBeSubmitted(session: CaseSession): boolean {
  if (session.conflict.value) return false;
  if (session.project.kind === "segmentation") return session.draft.value !== null && emptyIsMeant(session);
  if (session.tag.value === null) tell("warning", "Choose a class first", "press 1 to 9");
  return session.tag.value !== null;
}

/** An empty mask is a possible answer, but more often a slip of the finger: it is asked once. */
function emptyIsMeant(session: CaseSession): boolean {
  if (session.emptyMeant || session.draft.value!.mask.some((value) => value !== 0)) return true;
  session.emptyMeant = true;
  tell("warning", "The mask is empty", "submit again if there is nothing to outline in this case");
  return false;
}

function submission(session: CaseSession): calls.Submission {
  const effort_seconds = Math.round(session.effort.seconds(performance.now()) * 10) / 10;
  if (session.project.kind === "classification") return { tag: session.tag.value!, effort_seconds };
  return { revision: session.draft.value!.revision.value, effort_seconds };
}

/** Repeat until the server answers. "Already closed" after a lost answer means that the lost one arrived. */
async function persist(session: CaseSession, send: () => Promise<unknown>): Promise<void> {
  for (let lost = false; ; lost = true) {
    try {
      await send();
      return;
    } catch (error) {
      if (lost && error instanceof ApiError && error.code === "wrong_state") return;
      if (!isPassing(error) || session.closed) throw error;
      session.busy.value = "waiting";
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function leave(session: CaseSession): void {
  forgetEffort(session.assignmentId);
  dismissPassing();
  visited.push(session.header.id);
  session.close();
  if (route.value.view === "annotate") go(linkTo.next(session.project.id));
}

export function goBack(session: CaseSession): void {
  const last = visited.pop();
  if (last) go(linkTo.case(session.project.id, last));
  else tell("info", "No earlier case in this visit");
}
