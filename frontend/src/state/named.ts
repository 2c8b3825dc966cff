/** The frames or slices that the project's template names: gone to in turn, drawn on, and moved to where they belong. */
import * as calls from "../api/calls";
import type { NamedSlice } from "../api/types";
import { holdsLabel } from "../edits/counts";
import { mayEdit } from "./labelling";
import { tell, tellFailed } from "./notices";
import { type CaseSession, placeIn } from "./session";

export function goToName(session: CaseSession, number: number): void {
  const one = session.named.value[number];
  if (!one) return;
  session.film.stop();
  session.chosenName.value = number;
  session.active.value = planeOf(session, one);
  session.lookAt(placeIn(one, session.crosshair.value));
}

/** The next one, from the first again behind the last. */
export function stepName(session: CaseSession, by: 1 | -1): void {
  const { length } = session.named.value;
  const here = session.named.value.findIndex((one) => isShown(session, one));
  const from = here >= 0 && !isShown(session, session.named.value[session.chosenName.value]!) ? here : session.chosenName.value;
  goToName(session, (from + by + length) % length);
}

export const isShown = (session: CaseSession, { axis, index }: NamedSlice): boolean => session.crosshair.value[axis] === index;

/** Whether something is drawn on its slice. */
export function isDrawn(session: CaseSession, { axis, index }: NamedSlice): boolean {
  const draft = session.draft.value;
  draft?.changes.value;
  return draft !== null && holdsLabel(draft.mask, session.header.shape, axis, index);
}

/** The name in hand stands for the slice on the screen from now on. */
export async function placeName(session: CaseSession): Promise<void> {
  const one = session.named.value[session.chosenName.value];
  if (!one || !mayEdit(session)) return;
  const index = session.crosshair.value[one.axis]!;
  if (index === one.index) return tell("info", `“${one.name}” stands here already`);
  session.effort.changed(performance.now());
  session.placing = session.placing.then(() => sendPlace(session, one.name, index));
  await session.placing;
}

/** One after the other, so that what the page shows last is what the server keeps. */
async function sendPlace(session: CaseSession, name: string, index: number): Promise<void> {
  try {
    const { frames, parts } = await calls.placeFrame(session.project.id, session.assignmentId, name, index);
    session.named.value = frames;
    session.parts.value = parts;
    session.advice.message.value = `“${name}” is ${session.sliceWord} ${index + 1} now`;
  } catch (error) {
    session.refusals++;
    tellFailed(`“${name}” was not moved`, error);
  }
}

/** The plane that shows a slice; of a plane that is not there the one in hand. */
const planeOf = (session: CaseSession, { axis }: NamedSlice): number => {
  const found = session.planes.findIndex((plane) => plane.slice_axis === axis);
  return found < 0 ? session.active.value : found;
};
