/** Which labels the case on the screen is annotated for: what is remembered in its draft, and what drawing adds. */
import * as calls from "../api/calls";
import type { Label, Run } from "../api/types";
import { tell, tellError } from "./notices";
import { toggled } from "./segments";
import type { CaseSession } from "./session";

/** Whether there is anything to choose: a class is chosen among all, and one label is always annotated. */
export const choosesLabels = ({ project, looksOnly }: CaseSession): boolean => project.kind === "segmentation" && project.labels.length > 1 && !looksOnly;

/** Annotated here, or not annotated here: its background says nothing of the label then. */
export function toggleAnnotated(session: CaseSession, value: number): void {
  if (!choosesLabels(session)) return;
  const next = toggled(session.annotated.value, value);
  if (next.size === 0) return tell("warning", "An annotation annotates at least one label, so nothing was changed", "skip the case instead");
  declare(session, next);
}

/** Whoever draws a label annotates it; of voxels of several labels the one in hand. */
export function annotateDrawn(session: CaseSession, runs: readonly Run[]): void {
  const known = session.annotated.value;
  const of = (value: number): number[] => session.members?.(value) ?? [value];
  const made = [...new Set(runs.map(([, , value]) => value))].flatMap((value) => (of(value).includes(session.label.value) ? session.label.value : of(value)));
  const drawn = new Set(made.filter((value) => value > 0 && !known.has(value)));
  if (drawn.size === 0) return;
  declare(session, new Set([...known, ...drawn]));
  tell("info", `${namesOf(session.labels, drawn)} was drawn, so it is annotated here`, "the table of segments has a switch for it");
}

/** Whether no voxel was drawn of a label that is called not annotated; says so when one was. What a model proposed stays its own. */
export function drawnIsAnnotated(session: CaseSession): boolean {
  const [draft, proposed, known] = [session.draft.value!, session.proposal.value, session.annotated.value];
  const drawn = session.labels.find(
    ({ value }) => !known.has(value) && draft.counts.of(value) > 0 && draft.mask.some((one, at) => one === value && proposed?.[at] !== value),
  );
  if (!drawn) return true;
  tell("warning", `“${drawn.name}” was drawn and is called not annotated, so nothing was submitted`, "switch it on in the table of segments, or erase it");
  return false;
}

function declare(session: CaseSession, values: ReadonlySet<number>): void {
  session.annotated.value = values;
  const send = (): Promise<unknown> => calls.declareDraft(session.project.id, session.assignmentId, [...values]);
  session.declared = session.declared.then(send).catch(tellError); // one after the other: the last one holds
}

/** "liver, spleen". */
export const namesOf = (labels: readonly Label[], values: ReadonlySet<number>): string =>
  labels
    .filter(({ value }) => values.has(value))
    .map(({ name }) => name)
    .join(", ");

/** "Annotates liver, spleen; kidney is not annotated"; "" where every label is. */
export function annotatedText(labels: readonly Label[], values: ReadonlySet<number>): string {
  const missing = labels.filter(({ value }) => !values.has(value)).map(({ name }) => name);
  if (missing.length === 0) return "";
  return `Annotates ${namesOf(labels, values)}; ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} not annotated`;
}
