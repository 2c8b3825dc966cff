/** Ties a case on the screen to the queue that saves its edits. */
import * as calls from "../api/calls";
import { hasAccounts } from "../api/me";
import { annotatorName, isSameName } from "../api/person";
import type { Draft } from "../edits/draft";
import { PatchQueue } from "../edits/queue";
import { claimTab } from "../edits/recovery";
import { type Kept, openStorage } from "../edits/storage";
import { receiveMask } from "../volume/download";
import { annotateDrawn } from "./annotated";
import { tellError } from "./notices";
import type { CaseSession } from "./session";

/** This window's name among all windows that keep edits in this browser. */
export const TAB = Math.random().toString(36).slice(2, 10);
export const storage = openStorage(globalThis.indexedDB);
claimTab(TAB);

/** With accounts, nobody sends or sees what somebody else drew in this browser. */
export const isOwn = ({ person }: Kept): boolean => !hasAccounts() || (person !== undefined && isSameName(person, annotatorName.value));

/** What would end with the page: neither the server has it nor does the browser keep it; also of a case that was left. */
const endings = new Map<object, number>();

export function noteUnkept(whose: object, unkept: number): void {
  if (unkept > 0) endings.set(whose, unkept);
  else endings.delete(whose);
}

/** Who closes the page while something would end with it is asked first. */
export function watchClosing(): void {
  window.addEventListener("beforeunload", (event) => {
    if (endings.size > 0) event.preventDefault();
  });
}

/** What happens when the server refuses a patch. */
export type Settle = (session: CaseSession, draft: Draft, error: unknown) => Promise<void>;

export async function readSavedDraft(project: string, assignment: string, voxels: number): Promise<{ mask: Uint8Array; revision: number }> {
  const response = await calls.readDraft(project, assignment);
  const revision = Number(response.headers.get("X-Revision") ?? 0);
  return { mask: await receiveMask(response, voxels), revision };
}

export function attachQueue(session: CaseSession, draft: Draft, assignment: string, revision: number, settle: Settle): PatchQueue {
  const { project, header } = session;
  if (session.assignmentId !== assignment) session.effort.startOver(performance.now(), `${TAB}-${assignment}`);
  session.assignmentId = assignment;
  draft.onDrawn = (runs) => annotateDrawn(session, runs);
  draft.onEdit = (what) => session.effort.did(what, performance.now());
  session.queue = new PatchQueue({
    assignment,
    project: project.id,
    caseId: header.id,
    tab: TAB,
    person: annotatorName.value,
    revision,
    storage,
    send: async (base, runs, link) => (await calls.patchDraft(project.id, assignment, base, runs, link)).revision,
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    onState: (state, pending, confirmed, unkept) => {
      draft.saveState.value = state;
      draft.pending.value = pending;
      draft.unkept.value = unkept;
      noteUnkept(draft, unkept);
      draft.revision.value = confirmed;
    },
    onRefused: (error) => void settle(session, draft, error).catch(tellError),
  });
  draft.attach(session.queue);
  return session.queue;
}
