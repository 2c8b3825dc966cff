/** Whether marks are given in place of a mask; what they are and do comes with a script of its own. */
import type { CaseSession } from "./session";

export function flipMarks(session: CaseSession): void {
  session.drawing.value = null;
  session.marking.value = session.marking.value ? null : "opening";
}

export function markHere({ marking }: CaseSession): void {
  if (marking.value && marking.value !== "opening") marking.value.here();
}
