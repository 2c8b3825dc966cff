/**
 * The work on open cases, kept in this browser until the server has it: over reloads, lost connections and days offline. Every load
 * of the page is a session of its own, so windows do not overwrite each other, and the server adds the sessions up.
 */
import { sendEffort } from "../api/calls";
import { isPassing } from "../api/errors";
import { hasAccounts } from "../api/me";
import { annotatorName, isSameName } from "../api/person";
import type { EffortReport } from "../edits/effort";
import { tabIsGone } from "../edits/recovery";
import { TAB } from "./saving";
import type { CaseSession } from "./session";

interface Kept {
  project: string;
  assignment: string;
  person: string;
  report: EffortReport;
  /** Active seconds that the server has already. */
  sent: number;
  /** Wall clock at the last sign of life; where the work lies depends on it, how long it took does not. */
  at: number;
}

const PREFIX = "medloop.work.";
/** The window in which its reader works now; others stop counting. */
const WORKING = "medloop.working";
/** A month: what the server takes at most. */
const MAX_AGO_SECONDS = 2_678_400;
let sessions = 0;

export const newSession = (): string => `${TAB}-${++sessions}`;

export const reportOf = (session: CaseSession): EffortReport => session.effort.report(performance.now(), session.project.kind === "segmentation");

/** Seconds of a case's other sessions: those that the server has, and those that still lie here. */
export function earlierSeconds(assignment: string, known: number): number {
  const waiting = everyKept().filter(([, kept]) => kept.assignment === assignment && isOwn(kept));
  return waiting.reduce((sum, [, kept]) => sum + Math.max(0, kept.report.active_seconds - kept.sent), known);
}

export function keepEffort(session: CaseSession): void {
  const report = reportOf(session);
  const key = keyOf(session.assignmentId, report.session);
  const sent = read(key)?.sent ?? 0;
  const at = Date.now() - 1000 * report.ago_seconds;
  write(key, { project: session.project.id, assignment: session.assignmentId, person: annotatorName.value, report, sent, at });
}

/** Keep what was done so far, and send it as far as it can be sent. */
export async function reportEffort(session: CaseSession): Promise<void> {
  keepEffort(session);
  const key = keyOf(session.assignmentId, reportOf(session).session);
  const kept = read(key);
  if (kept && kept.report.active_seconds > kept.sent) await send(key, kept, session.closed);
}

/** Send what earlier loads of the page left here. */
export async function sendLeftEffort(): Promise<void> {
  for (const [key, kept] of everyKept()) {
    if (!isOwn(kept)) continue;
    const [tab = ""] = kept.report.session.split("-");
    if (tab !== TAB && !(await tabIsGone(tab))) continue;
    if (tab !== TAB) await send(key, kept, true);
  }
}

export function forgetEffort(session: CaseSession): void {
  write(keyOf(session.assignmentId, reportOf(session).session), null);
}

/** A sign of life: the time counts here, and in no other window. */
export function beat(session: CaseSession): void {
  session.effort.beat(performance.now());
  try {
    if (localStorage.getItem(WORKING) !== TAB) localStorage.setItem(WORKING, TAB);
  } catch {
    // Without storage, windows do not know of each other; the server counts what overlaps once.
  }
}

/** Another window is worked in. */
export function yieldTo(session: CaseSession, { key, newValue }: StorageEvent): void {
  if (key === WORKING && newValue !== TAB) session.effort.leave(performance.now());
}

async function send(key: string, kept: Kept, last: boolean): Promise<void> {
  const ago = Math.min(MAX_AGO_SECONDS, Math.max(0, (Date.now() - kept.at) / 1000));
  try {
    await sendEffort(kept.project, kept.assignment, { ...kept.report, ago_seconds: ago });
    write(key, last ? null : { ...kept, sent: kept.report.active_seconds });
  } catch (error) {
    if (last && !isPassing(error)) write(key, null); // the case or the right to it is gone: nobody will ever take it
  }
}

const keyOf = (assignment: string, session: string): string => `${PREFIX}${assignment}.${session}`;
const isOwn = ({ person }: Kept): boolean => !hasAccounts() || isSameName(person, annotatorName.value);

function everyKept(): [string, Kept][] {
  try {
    const keys = Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n)!).filter((key) => key.startsWith(PREFIX));
    return keys.map((key) => [key, read(key)] as const).filter((pair): pair is [string, Kept] => pair[1] !== null);
  } catch {
    return [];
  }
}

function read(key: string): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "null") as Kept | null;
    return typeof kept?.report?.active_seconds === "number" ? kept : null;
  } catch {
    return null;
  }
}

function write(key: string, kept: Kept | null): void {
  try {
    if (kept === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // Without storage a reload loses seconds, never edits.
  }
}
