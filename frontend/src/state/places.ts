/**
 * Places worth a look, best first. The server ranks them by the errors a look should mend per second, and its log tells who
 * followed; where it has none, the page goes to where the model is least sure.
 */
import * as calls from "../api/calls";
import type { Place } from "../api/types";
import { uncertainPlaces } from "../volume/places";
import type { Look } from "./advice";
import { tell } from "./notices";
import type { CaseSession } from "./session";

/** Go to the next (or previous) place; the one before it counts as looked at. */
export async function visitPlace(session: CaseSession, by: 1 | -1): Promise<void> {
  const { advice } = session;
  const looks = await looksOf(session);
  if (session.closed) return;
  advice.message.value = "";
  if (looks.length === 0) return tell("info", session.uncertainty.value ? "The model is sure everywhere in this case" : "No model has looked at this case yet");
  endLook(session);
  advice.look.value = advice.look.value < 0 ? firstLook(looks, by) : (advice.look.value + by + looks.length) % looks.length;
  show(session, looks[advice.look.value]!);
}

/** The look ends and is in the log, as far as the server can be reached. */
export async function settleLooks(session: CaseSession): Promise<void> {
  endLook(session);
  await session.advice.logged;
}

async function looksOf(session: CaseSession): Promise<readonly Look[]> {
  const { advice } = session;
  if (advice.looks.value.length > 0) return advice.looks.value;
  advice.message.value = "Ranking the places worth a look…";
  advice.requested ??= readLooks(session);
  advice.looks.value = await advice.requested;
  advice.requested = null;
  return advice.looks.value;
}

async function readLooks(session: CaseSession): Promise<readonly Look[]> {
  const ranked = session.looksOnly || session.opened.prediction === null ? [] : await rankedLooks(session);
  return ranked.length > 0 ? ranked : ownLooks(session);
}

async function rankedLooks(session: CaseSession): Promise<Look[]> {
  try {
    const { places } = await calls.readPlaces(session.project.id, session.assignmentId, session.advice.leaving);
    return places.map(lookOf);
  } catch {
    return []; // the page's own places are worse, but better than none
  }
}

const lookOf = ({ number, voxel, axis, start, stop, gain, seconds, visited }: Place): Look => ({
  number,
  voxel,
  axis,
  region: axis === null ? { start, stop } : null,
  expected: `expected about ${Math.max(1, Math.round(gain))} wrong ${gain < 1.5 ? "voxel" : "voxels"}, ${Math.ceil(seconds)} s to look and correct`,
  seen: visited,
});

function ownLooks({ uncertainty, header }: CaseSession): Look[] {
  const places = uncertainty.value ? uncertainPlaces(uncertainty.value, header.shape, header.spacing_mm) : [];
  return places.map((voxel) => ({ number: null, voxel, axis: null, region: null, expected: "the model is uncertain here", seen: false }));
}

/** Forwards, what was looked at before is over. */
function firstLook(looks: readonly Look[], by: 1 | -1): number {
  return by > 0
    ? Math.max(
        0,
        looks.findIndex(({ seen }) => !seen),
      )
    : looks.length - 1;
}

function show(session: CaseSession, look: Look): void {
  const { advice } = session;
  session.lookAt(look.voxel);
  const plane = session.planes.findIndex(({ slice_axis }) => slice_axis === look.axis);
  if (plane >= 0) session.active.value = plane;
  if (plane >= 0 && session.hanging.alone.value !== null) session.hanging.maximised.value = plane;
  advice.message.value = `Place ${advice.look.value + 1} of ${advice.looks.value.length}: ${look.expected}${look.seen ? " · looked at before" : ""}`;
}

function endLook(session: CaseSession): void {
  const { advice } = session;
  const look = advice.looks.value[advice.look.value];
  if (look && look.number !== null && !look.seen) advice.logged = advice.logged.then(() => logVisit(session, look));
}

/** After the edits made there: the server says from them whether the place was changed. */
async function logVisit(session: CaseSession, look: Look): Promise<void> {
  try {
    await session.refiner?.settled();
    await session.queue!.flushed();
    await calls.visitPlace(session.project.id, session.assignmentId, look.number!);
    look.seen = true;
  } catch {
    // A visit that the log misses is no reason to stop anybody.
  }
}
