/** The verbs of the annotation view: submit, skip, flag, take a submission back, and on to the next case. */
import * as calls from "../api/calls";
import { ApiError, isPassing } from "../api/errors";
import { annotatorName } from "../api/person";
import { drawnIsAnnotated } from "./annotated";
import { forgetEffort, reportOf } from "./effort";
import { showFeedback } from "./gold";
import { dismissPassing, offer, tell, tellError } from "./notices";
import { settleLooks } from "./places";
import { acceptKey } from "./preferences";
import { leavePreview, previewFirst } from "./previewing";
import { go, linkTo, projectOf, route } from "./router";
import type { CaseSession } from "./session";

const RETRY_MS = 2000;
/** Where answered cases of this visit are, for going back. */
export const visited: string[] = [];

/** The last submission of this visit, until it is taken back or another one is made. */
let last: { project: string; assignment: string; caseId: string; person: string } | null = null;

/** `replace`: the reader was asked twice whether the annotation in force may go. */
export async function submitSession(session: CaseSession, replace = false): Promise<void> {
  if (session.busy.value || session.closed || !isSeen(session)) return;
  session.drag?.finish();
  const marking = session.marking.value;
  if (marking) return marking === "opening" ? undefined : marking.submit();
  if (session.editing.pending) return tell("info", "An operation is not accepted yet, so nothing was submitted", `${acceptKey()} accepts it, Esc puts it away`);
  if (!isPromptResultSeen(session) || previewFirst(session, "nothing was submitted") || !mayBeSubmitted(session)) return;
  await closing(session, async () => {
    const body = { ...submission(session), ...(replace && { replace }) };
    const made = await persist(session, "submitted", () => send(session, body));
    if (made?.gold) await showFeedback(session.project.id, session.assignmentId);
    leave(session);
    if (session.purpose === "decide") tell("info", `Decided ${session.header.name}: your annotation stands before its readings`);
    else if (!made?.gold) offerUndo(session);
  });
}

/** A reading, or the decision of a reviewer about what they have looked at. */
async function send(session: CaseSession, body: calls.Submission): Promise<{ gold?: boolean }> {
  const { project, header, assignmentId, looked } = session;
  if (session.purpose !== "decide") return calls.submit(project.id, assignmentId, body);
  const { revision = null, tag = null, task_version = null, effort } = body;
  await calls.adjudicate(project.id, header.id, { assignment_id: assignmentId, revision, tag, task_version, effort, ...looked });
  return {};
}

/** The proposal that was to be checked is wrong, and is not corrected now. */
export async function rejectSession(session: CaseSession): Promise<void> {
  if (session.busy.value || session.closed || !isSeen(session)) return;
  session.drag?.finish();
  await closing(session, async () => {
    const made = await persist(session, "submitted", () => calls.reject(session.project.id, session.assignmentId, reportOf(session)));
    await goOnAfter(session, made, "Rejected the proposal of");
  });
}

/** What came of a gold case is shown; any other case offers to be taken back. */
export async function goOnAfter(session: CaseSession, made: { gold?: boolean } | null, did?: string): Promise<void> {
  if (made?.gold) await showFeedback(session.project.id, session.assignmentId);
  leave(session);
  if (!made?.gold) offerUndo(session, did);
}

export async function closeWithout(session: CaseSession, verb: "skip" | "flag", reason: string): Promise<void> {
  if (session.busy.value || session.closed) return;
  session.drag?.finish();
  await closing(session, async () => {
    await persist(session, verb === "skip" ? "skipped" : "flagged", () =>
      (verb === "skip" ? calls.skip : calls.flag)(session.project.id, session.assignmentId, reason, reportOf(session)),
    );
    leave(session);
  });
}

/** Everything drawn is saved and every prompt answered before a case is closed. */
export async function closing(session: CaseSession, close: () => Promise<void>): Promise<void> {
  session.busy.value = session.queue && session.queue.pending > 0 ? "waiting" : "submitting";
  const { refusals } = session;
  try {
    await session.refiner?.settled();
    if (session.refusals > refusals) return tell("warning", "The last prompt was not applied, so the case is still open", "look at the mask, then try again");
    await session.placing;
    if (session.refusals > refusals) return tell("warning", "A name was not moved, so the case is still open", "move it again, then submit");
    await session.queue?.flushed();
    await settleLooks(session);
    await session.declared;
    session.busy.value = "submitting";
    await close();
  } catch (error) {
    if (error instanceof ApiError && error.code === "replaces_annotation") session.replacing.value = error.message;
    else if (error instanceof ApiError && (error.code === "returned" || isReleased(error))) openAnew(session, error);
    else if (!session.conflict.value) tellError(error);
  } finally {
    session.busy.value = "";
  }
}

/** Its time ran out before the submission came. */
const isReleased = ({ code, message }: ApiError): boolean => code === "wrong_state" && message.includes("is released");

/** The case was returned or released while it was open: it is opened again, and what was drawn is in its draft. */
function openAnew({ project, header }: CaseSession, error: ApiError): void {
  tell("warning", error.message, "look at it again, then submit");
  go(linkTo.case(project.id, header.id));
}

/** A press that came before the case was on the screen was meant for another one. */
export function isSeen(session: CaseSession): boolean {
  const now = performance.now();
  if (session.sight.isOver(now)) return true;
  session.sight.tooEarly(now);
  const waits = session.ready.value ? session.sight.reason : "This case is still loading";
  tell("info", `${waits}, so nothing was submitted`, "look at it, then press again");
  return false;
}

/** What an engine has not answered yet nobody has seen; Enter in the midst of a prompt only ends the prompt. */
function isPromptResultSeen({ refining }: CaseSession): boolean {
  if (refining.value) tell("info", "The last prompt is still being computed, so nothing was submitted", "look at the result, then press again");
  return !refining.value;
}

function mayBeSubmitted(session: CaseSession): boolean {
  if (session.conflict.value || session.replacing.value !== null) return false;
  if (session.project.kind === "classification") {
    if (session.tag.value === null) tell("warning", "Choose a class first", "press 1 to 9");
    return session.tag.value !== null;
  }
  return session.draft.value !== null && isPromptWhole(session) && drawnIsAnnotated(session) && emptyIsMeant(session);
}

/** Outermost points clicked so far are no prompt yet, and would be lost. */
function isPromptWhole({ drawing }: CaseSession): boolean {
  if (drawing.value === null) return true;
  tell("warning", "The outermost points are not all clicked, so nothing was submitted", "click the others, or press Esc to drop them");
  return false;
}

/** An empty mask is a possible answer, but more often a slip of the finger: it is asked once. */
function emptyIsMeant(session: CaseSession): boolean {
  if (session.emptyMeant || !session.draft.value!.counts.empty) return true;
  session.emptyMeant = true;
  tell("warning", "The mask is empty", "submit again if there is nothing to outline in this case");
  return false;
}

function submission(session: CaseSession): calls.Submission {
  const common = { effort: reportOf(session), task_version: session.project.task_version, returned: session.returned.value?.review_id };
  if (session.project.kind === "classification") return { tag: session.tag.value!, ...common };
  return {
    revision: session.draft.value!.revision.value,
    annotated: [...session.annotated.value],
    ...(session.choseParts && { parts: session.parts.value }),
    ...common,
  };
}

/**
 * Repeat until the server answers. "Already submitted" after a lost answer means that the lost one arrived; closed in any other
 * way, by another window or because its time ran out, means that it did not.
 */
export async function persist<T>(session: CaseSession, done: "submitted" | "skipped" | "flagged", send: () => Promise<T>): Promise<T | null> {
  for (let lost = false; ; lost = true) {
    try {
      return await send();
    } catch (error) {
      if (lost && error instanceof ApiError && error.code === "wrong_state" && error.message.includes(done)) return null;
      if (!isPassing(error) || session.closed) throw error;
      session.busy.value = "waiting";
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export function leave(session: CaseSession): void {
  leavePreview(session);
  forgetEffort(session);
  dismissPassing();
  visited.push(session.header.id);
  session.close();
  if (route.value.view === "edit") go(linkTo.readings(session.project.id, session.header.id));
  else if (route.value.view === "annotate") go(linkTo.next(session.project.id));
}

export function offerUndo(session: CaseSession, did = "Annotated"): void {
  last = { project: session.project.id, assignment: session.assignmentId, caseId: session.header.id, person: annotatorName.value };
  const beside = session.opened.assignment.standing ? ", beside another annotation" : "";
  offer(`${did} ${session.header.name}${session.replacesStanding ? ", in place of the annotation before" : beside}`, "Undo", () => void undoSubmission());
}

/** The last submission of this visit is withdrawn, and its draft is on the screen again. */
export async function undoSubmission(): Promise<void> {
  const here = projectOf(route.value) ?? last?.project;
  const taken = last?.person === annotatorName.value && last.project === here ? last : null;
  last = null;
  if (!taken) return tell("info", "No submission of this visit to take back");
  try {
    await calls.undoSubmit(taken.project, taken.assignment);
    if (visited.at(-1) === taken.caseId) visited.pop();
    dismissPassing();
    go(linkTo.case(taken.project, taken.caseId));
    tell("info", "Taken back: the annotation is a draft again");
  } catch (error) {
    if (isPassing(error)) last = taken;
    tellError(error);
  }
}

export function goBack(session: CaseSession): void {
  const before = visited.pop();
  if (before) go(linkTo.case(session.project.id, before));
  else tell("info", "No earlier case in this visit");
}
