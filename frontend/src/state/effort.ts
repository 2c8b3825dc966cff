/** Effort seconds per open assignment, kept over reloads until it is submitted. */
import type { CaseSession } from "./session";

const keyOf = (assignment: string): string => `medloop.effort.${assignment}`;

export function keptEffort(assignment: string): number {
  try {
    return Math.max(0, Number(localStorage.getItem(keyOf(assignment)) ?? 0)) || 0;
  } catch {
    return 0;
  }
}

export function keepEffort(session: CaseSession): void {
  bringBackEffort(session.assignmentId, session.effort.seconds(performance.now()));
}

/** A submission that is taken back goes on from the seconds that it took. */
export function bringBackEffort(assignment: string, seconds: number): void {
  try {
    localStorage.setItem(keyOf(assignment), seconds.toFixed(1));
  } catch {
    // Without storage a reload loses seconds, never edits.
  }
}

export function forgetEffort(assignment: string): void {
  try {
    localStorage.removeItem(keyOf(assignment));
  } catch {
    // Nothing was kept either.
  }
}
