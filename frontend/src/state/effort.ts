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
  try {
    localStorage.setItem(keyOf(session.assignmentId), session.effort.seconds(performance.now()).toFixed(1));
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
