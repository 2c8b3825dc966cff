/** Opens a case: asks the server, fetches arrays, builds the draft, and brings back edits left in this browser. */
import * as calls from "../api/calls";
import type { NothingLeft, Opened, PlaneHeader, Project, Triple } from "../api/types";
import { measures } from "../browser/measures";
import { Draft } from "../edits/draft";
import { EffortTimer } from "../edits/effort";
import { leftOutboxes } from "../edits/outbox";
import { fitPatches, leftBehind, tabIsGone } from "../edits/recovery";
import { voxelCount, voxelOfIndex } from "../geometry/plane";
import { arraysOf, type CaseArrays, prefetchUpcoming } from "../volume/cache";
import { settleRefusal } from "./conflicts";
import { takeBrush } from "./display";
import { earlierSeconds, newSession, sendLeftEffort } from "./effort";
import { asksForMarks, takeToolFor } from "./kinds";
import { lookAt, readShownMask } from "./looking";
import { flipMarks } from "./markmode";
import { goToName } from "./named";
import { tell, tellError } from "./notices";
import { lookedAt } from "./readings";
import { attachRefiner, recallPrompts } from "./refining";
import { attachQueue, isOwn, readSavedDraft, storage, TAB } from "./saving";
import { CaseSession, type Purpose, placeIn, whyLooksOnly } from "./session";

/** How often a growing volume is drawn while it arrives. */
const PART_MS = 150;

export async function openSession(project: Project, caseId: string | null, startedAt: number): Promise<CaseSession | NothingLeft> {
  const opened = await openOn(project, caseId);
  if (opened.assignment === null) return opened;
  return begin(await newestOf(project, opened), opened, startedAt, "read");
}

/** The task as it was last seen to have changed, by project. */
const changedTasks = new Map<string, Project>();

/** A page stays open for days: each case is opened with the labels and instructions of today, and a change is said. */
async function newestOf(project: Project, { assignment }: Opened): Promise<Project> {
  const seen = changedTasks.get(project.id);
  const known = seen && seen.task_version > project.task_version ? seen : project;
  if (assignment.task_version <= known.task_version) return known;
  const fresh = await calls.readProject(project.id).catch(() => known);
  if (fresh.task_version <= known.task_version) return known;
  changedTasks.set(project.id, fresh);
  tell("warning", `Labels or instructions were changed: this is version ${fresh.task_version} of the task`, "look at them before you draw");
  return fresh;
}

/** A case whose decision a reviewer draws: it begins with what stands. */
export async function openDecision(project: Project, caseId: string, startedAt: number): Promise<CaseSession> {
  const [found, opened] = await Promise.all([calls.readReadings(project.id, caseId), calls.editCase(project.id, caseId)]);
  const session = begin(await newestOf(project, opened), opened, startedAt, "decide");
  session.looked = lookedAt(found);
  return session;
}

function begin(project: Project, opened: Opened, startedAt: number, purpose: Purpose): CaseSession {
  const session = new CaseSession(project, opened, timerOf(opened), startedAt, purpose);
  void load(session).catch(tellError);
  return session;
}

function timerOf({ assignment }: Opened): EffortTimer {
  void sendLeftEffort();
  return new EffortTimer(performance.now(), earlierSeconds(assignment.id, assignment.active_seconds), newSession());
}

async function openOn(project: Project, caseId: string | null): Promise<Opened | NothingLeft> {
  if (whyLooksOnly(project)) return (await lookAt(project, caseId)) ?? { assignment: null, reason: "The worklist, as it is searched and filtered, is empty" };
  return caseId === null ? calls.nextCase(project.id) : calls.openCase(project.id, caseId);
}

async function load(session: CaseSession): Promise<void> {
  const { project, header, opened } = session;
  const segments = project.kind === "segmentation";
  let lastPart = 0;
  const arrays = arraysOf(project.id, header, opened.prediction?.id ?? null, segments, (volume) => {
    session.volume.value = volume;
    const now = performance.now();
    if (now - lastPart > PART_MS) session.arrived.value++;
    if (now - lastPart > PART_MS) lastPart = now;
  });
  const masks = segments ? loadMasks(session, arrays) : Promise.resolve();
  session.volume.value = await arrays.volume;
  session.arrived.value++;
  measures.completeMs = performance.now() - session.startedAt;
  await masks;
  if (!session.closed && !session.looksOnly) void prefetchUpcoming(project.id, segments).catch(() => undefined);
}

async function loadMasks(session: CaseSession, arrays: CaseArrays): Promise<void> {
  void arrays.uncertainty.then((map) => (session.uncertainty.value = map));
  const proposed = arrays.proposal.then((mask) => (session.proposal.value = mask));
  if (session.looksOnly) return beginWith(session, new Draft(await readShownMask(session, proposed), session.guard));
  await leftOutboxes();
  const { mask, revision } = await readSavedDraft(session.project.id, session.assignmentId, voxelCount(session.header.shape));
  takeBrush(session.project.id, firstBrush(session.planes[session.main]!, session.header.shape));
  const draft = new Draft(mask, session.guard);
  attachQueue(session, draft, session.assignmentId, revision, settleRefusal);
  attachRefiner(session, draft, settleRefusal);
  if (revision > 0) await recallPrompts(session, draft);
  await recover(session, draft, revision);
  beginWith(session, draft);
}

function beginWith(session: CaseSession, draft: Draft): void {
  const { kind } = session.opened.assignment;
  if (!session.looksOnly) takeToolFor(kind);
  if (!session.looksOnly && asksForMarks(kind) && session.marking.value === null) flipMarks(session);
  if (!session.moved) {
    lookAtMask(session, draft.mask);
    if (session.named.value.length > 0) goToName(session, 0);
    else lookAtPart(session, 0);
  }
  session.draft.value = draft;
}

async function recover(session: CaseSession, draft: Draft, revision: number): Promise<void> {
  const kept = (await leftBehind(storage, session.header.id, TAB, tabIsGone)).filter(isOwn);
  if (kept.length === 0) return;
  const fit = fitPatches(draft.mask, { assignment: session.assignmentId, revision }, kept);
  if (fit.clean) {
    draft.adopt(fit.patches);
    fit.patches.forEach(({ runs, link }) => session.queue!.push(runs, link));
    const count = fit.patches.length;
    if (count > 0) tell("info", `${count} edit${count > 1 ? "s" : ""} kept in this browser came back`);
    for (const patch of kept) void storage.remove(patch);
    return;
  }
  session.conflict.value = {
    title: "Unsaved edits from an earlier visit",
    message: "This browser kept edits of this case that were never saved, but the case was changed since",
    remedy: "",
    saved: { assignment: session.assignmentId, revision, mask: draft.mask.slice(), annotated: session.annotated.value },
    patches: fit.patches,
    waiting: 0,
  };
  void session.conflict.subscribe((open) => {
    if (open === null) for (const patch of kept) void storage.remove(patch);
  });
}

/** A few voxels wide, and large enough to be seen when the whole slice is on the screen. */
function firstBrush(plane: PlaneHeader, shape: Triple): number {
  const pixel = Math.min(plane.x_spacing_mm, plane.y_spacing_mm);
  const field = Math.max(shape[plane.x_axis]! * plane.x_spacing_mm, shape[plane.y_axis]! * plane.y_spacing_mm);
  return Number(Math.max(2.5 * pixel, field / 60).toPrecision(2));
}

/** Show a slice or box that is queried. */
export function lookAtPart(session: CaseSession, number: number): void {
  const part = session.queried[number];
  if (part !== undefined) session.lookAt(placeIn(part, session.crosshair.value));
}

/** Start where the answer is, not in the middle of the air. */
function lookAtMask(session: CaseSession, mask: Uint8Array): void {
  let [count, sum] = [0, 0];
  const slice = session.header.shape[0] * session.header.shape[1];
  const found: number[] = [];
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    count++;
    sum += Math.floor(index / slice);
    if (count % 16 === 1) found.push(index);
  }
  if (count === 0 || session.isPicture) return;
  const middle = Math.round(sum / count);
  const inSlice = found.filter((index) => Math.floor(index / slice) === middle);
  const index = inSlice[inSlice.length >> 1];
  if (index !== undefined) session.crosshair.value = voxelOfIndex(session.header.shape, index);
}
