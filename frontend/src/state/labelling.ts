/** What is done with one label of the case on the screen: drawn with, picked, coloured. */
import * as calls from "../api/calls";
import { may } from "../api/me";
import type { Triple } from "../api/types";
import { flatIndex } from "../geometry/plane";
import { maskShown } from "./display";
import { tell, tellError } from "./notices";
import { previewFirst } from "./previewing";
import { sayLocked } from "./segments";
import type { CaseSession } from "./session";

/** Whether the chosen label can be drawn with; says so when it cannot. */
export function mayDraw(session: CaseSession): boolean {
  const value = session.label.value;
  if (!session.locked.value.has(value)) return true;
  sayLocked(session, new Set([value]));
  return false;
}

/** Whether the case can be worked on; says why not. */
export function isAtHand({ draft, conflict, busy, closed, looksOnly, ready }: CaseSession): boolean {
  if (draft.value === null || conflict.value || busy.value !== "" || closed || looksOnly) return false;
  if (!ready.value) tell("info", "This case is still loading", "draw when all of it is there");
  return ready.value;
}

/** Whether the mask can be changed now; says why not. */
export function mayEdit(session: CaseSession): boolean {
  if (!isAtHand(session)) return false;
  if (session.refining.value) tell("info", "The last prompt is still being computed", "draw when the result is there");
  return !session.refining.value && !previewFirst(session);
}

/** What is drawn is seen. */
export function reveal({ hidden, label }: CaseSession): void {
  maskShown.value = true;
  hidden.value = new Set([...hidden.value].filter((value) => value !== label.value));
}

/** Choose the label that stands at a voxel. */
export function pickLabel(session: CaseSession, voxel: Triple): void {
  const value = session.draft.value?.mask[flatIndex(session.header.shape, voxel)] ?? 0;
  const here = session.labels.filter((one) => one.value === value || one.left?.[value] !== undefined);
  const label = here[(here.findIndex((one) => one.value === session.label.value) + 1) % here.length]; // of several the next one
  if (!label) return tell("info", "No label stands here");
  session.label.value = label.value;
  tell("info", `“${label.name}” is the label to draw with`);
}

export const mayRecolour = ({ project }: CaseSession): boolean => project.read_only === "" && may("decide", project.id);

/** Change a label's colour for everybody; the other labels stay as the server has them now. */
export async function recolour(session: CaseSession, value: number, colour: string): Promise<void> {
  const { colours } = session.segments;
  const before = colours.value;
  colours.value = new Map(before).set(value, colour);
  try {
    const { task } = await calls.readSettings(session.project.id);
    const labels = task.labels.map((label) => ({ value: label.value, name: label.name, colour: label.value === value ? colour : label.colour }));
    await calls.changeTask(session.project.id, { version: task.version, labels });
  } catch (error) {
    colours.value = before;
    tellError(error);
  }
}
