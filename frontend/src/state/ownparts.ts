/** Slices or boxes of a reader's own choice: only these count when the case is submitted, and the rest of it stays unknown. */
import type { QueriedPart } from "../api/types";
import { keepParts } from "./keptparts";
import { tell } from "./notices";
import type { CaseSession } from "./session";

/** Why nothing can be chosen here; "" where it can. */
export function whyNoParts({ opened, purpose, isPicture, named, advice }: CaseSession): string {
  if (purpose !== "read") return "a decision is of the whole case";
  if (opened.assignment.parts.length > 0 || named.value.length > 0) return "it was queried of parts already";
  if (opened.assignment.evaluation) return "models are held against whole masks of it";
  return isPicture && !advice.region.value ? "a picture is one slice: draw a box first" : "";
}

/** Take the drawn box, else the slice in view, among what counts, or out of it again; nothing chosen is the whole case. */
export function togglePart(session: CaseSession): void {
  const why = whyNoParts(session);
  if (why) return tell("info", `The whole case counts: ${why}`);
  const plane = session.active.value;
  const part: QueriedPart = session.advice.region.value ?? { axis: session.planes[plane]!.slice_axis, index: session.sliceNumber(plane) };
  const others = session.parts.value.filter((one) => JSON.stringify(one) !== JSON.stringify(part));
  keep(session, others.length < session.parts.value.length ? others : [...others, part]);
  session.advice.region.value = null;
}

export const countWhole = (session: CaseSession): void => keep(session, []);

function keep(session: CaseSession, parts: QueriedPart[]): void {
  session.parts.value = parts;
  keepParts(session.project.id, session.assignmentId, parts);
  const what = parts.length === 1 ? session.partTitle(0) : `${parts.length} parts`;
  session.advice.message.value =
    parts.length === 0
      ? "The whole case counts"
      : `Only ${what} of the case ${parts.length === 1 ? "counts" : "count"}: background, too, is annotated there alone`;
}
