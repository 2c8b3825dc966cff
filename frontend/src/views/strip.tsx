/** Above Submit: the case's place in its round, what is left, and how good its proposal probably is, or what is missing to tell. */
import type { CaseOutlook } from "../api/types";
import type { CaseSession } from "../state/session";

export function CaseStrip({ session }: { session: CaseSession }) {
  const outlook = session.outlook.value;
  const text = outlook ? outlookText(outlook) : "";
  if (!outlook || !text) return null;
  const title = outlook.expected !== null ? "Expected quality of the proposal (mean Dice of the labels) with its 90 % interval" : "";
  return (
    <p class="hint strip" role="status" title={title} data-testid="case-strip">
      {text}
    </p>
  );
}

/** "Case 3 of 15 · 12 left in this round · likely good (0.82, 0.71–0.90)". */
export function outlookText({ round, place, cases, left, verdict, expected, low, high, lacking }: CaseOutlook): string {
  const interval = expected !== null && low !== null && high !== null ? `${expected.toFixed(2)}, ${low.toFixed(2)}–${high.toFixed(2)}` : "";
  const judged = verdict && interval ? `${verdict} (${interval})` : verdict || lacking || (interval && `expected quality ${interval}`);
  return [round !== null && `Case ${place} of ${cases}`, round !== null && `${left} left in this round`, judged].filter(Boolean).join(" · ");
}
