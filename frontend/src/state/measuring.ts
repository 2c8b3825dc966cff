/** Measuring: points placed one by one, kept on the server, moved, named, taken away and brought back. */
import type { Measurement, MeasurementBody, Triple } from "../api/types";
import { POINTS, planeAxes } from "../geometry/measure";
import type { Placed } from "../volume/figures";
import { slab, tool } from "./display";
import { newMeasurementId, sendOn } from "./keptmeasuring";
import type { Measurements } from "./measurements";
import { offer, tell } from "./notices";
import type { CaseSession } from "./session";

/** Tools and what they measure. */
export const MEASURING = { ruler: "length", angle: "angle", ellipse: "ellipse", rectangle: "rectangle" } as const;
export type MeasuringTool = keyof typeof MEASURING;
export const MEASURING_TOOLS: readonly string[] = Object.keys(MEASURING);

/** The points of a measurement as they are drawn now. */
export const pointsOf = ({ moving }: Measurements, one: Measurement): readonly Triple[] => (moving.value?.id === one.id ? moving.value.points : one.points);

/** To measure anew: what was in hand stays as it is. */
export function takeMeasuringTool({ measurements }: CaseSession, name: MeasuringTool): void {
  measurements.chosen.value = null;
  tool.value = name;
}

export function nextMeasuringTool(session: CaseSession): void {
  const names = MEASURING_TOOLS as readonly MeasuringTool[];
  takeMeasuringTool(session, names[(names.indexOf(tool.value as MeasuringTool) + 1) % names.length]!);
}

/** A slab shows what is not in the slice that would be written or measured. */
export const refuseSlab = (): void => tell("info", "A slab of several slices is shown: nothing is drawn or measured on it", "switch it off first");

/** Why nothing can be measured now; "" where it can. */
export function whyNotMeasured({ kind, points, axis }: Placed): string {
  if (points.length < POINTS[kind]) return "";
  const apart = (a: number, b: number): boolean => points[a]!.some((value, n) => value !== points[b]![n]);
  if (kind === "angle") return apart(0, 1) && apart(1, 2) ? "" : "Both legs of an angle need a length";
  if (kind === "length") return apart(0, 1) ? "" : "A length needs two ends";
  return planeAxes(axis).every((a) => points[0]![a] !== points[1]![a]) ? "" : "A region needs a width and a height";
}

/** Keep what is placed, once it is complete. */
export function finishPlacing(session: CaseSession): void {
  const { measurements } = session;
  const placed = measurements.placing.value;
  if (!placed || placed.points.length < POINTS[placed.kind]) return;
  measurements.placing.value = null;
  const refused = whyNotMeasured(placed);
  if (refused) return tell("info", refused, "place its points apart");
  const channel = session.channel.value === "rgb" ? null : session.channel.value;
  take(session, { kind: placed.kind, points: [...placed.points], axis: placed.axis, index: placed.index, channel });
}

/** A label of the draft as it is now, in the slice that is looked at or in the whole volume; what was drawn is saved first. */
export async function measureLabel(session: CaseSession, where: "slice" | "volume"): Promise<void> {
  if (!session.queue || session.looksOnly) return;
  const plane = session.planes[session.active.value]!;
  const axis = where === "volume" && !session.isFlat ? null : plane.slice_axis;
  const index = axis === null ? null : session.sliceNumber(session.active.value);
  const channel = session.channel.value === "rgb" ? null : session.channel.value;
  const label = session.label.value;
  await session.refiner?.settled();
  const { revision, pending } = session.queue;
  const body: MeasurementBody = { kind: "label", label, axis, index, channel, assignment_id: session.assignmentId, revision: revision + pending };
  const { taken, kept } = session.measurements;
  if (JSON.stringify(body) === JSON.stringify(taken?.body) && kept.value.some(({ id }) => id === taken?.id)) return tell("info", "This is measured already");
  session.measurements.taken = { body, id: take(session, body) };
}

function take(session: CaseSession, body: MeasurementBody): string {
  const measurement = newMeasurementId();
  session.measurements.chosen.value = measurement;
  sendOn(session, { measurement, take: body });
  return measurement;
}

/** Put the points of one's own measurement elsewhere. */
export function moveMeasurement(session: CaseSession, id: string, points: readonly Triple[]): void {
  const { measurements } = session;
  const old = measurements.kept.value.find((one) => one.id === id);
  if (measurements.moving.value?.id === id) measurements.moving.value = null;
  if (!old || old.axis === null || old.index === null) return;
  const refused = whyNotMeasured({ kind: old.kind, points, axis: old.axis, index: old.index });
  if (refused) tell("info", refused, "it stays as it was");
  else sendOn(session, { measurement: id, change: { points: [...points] } });
}

export const nameMeasurement = (session: CaseSession, id: string, note: string): void => sendOn(session, { measurement: id, change: { note } });

/** Taken away, and offered back. */
export function removeMeasurement(session: CaseSession, id: string): void {
  const { measurements } = session;
  if (measurements.chosen.value === id) measurements.chosen.value = null;
  sendOn(session, { measurement: id, change: { withdrawn: true } });
  offer("The measurement was removed", "Bring it back", () => sendOn(session, { measurement: id, change: { withdrawn: false } }));
}

/** Go to where a measurement was taken, and take it into the hand. */
export function showMeasurement(session: CaseSession, one: Measurement): void {
  session.measurements.chosen.value = one.id;
  if (one.axis === null || one.index === null) return;
  const plane = session.planes.findIndex(({ slice_axis }) => slice_axis === one.axis);
  const voxel: Triple = [...session.crosshair.value];
  for (const axis of [0, 1, 2]) if (one.points.length > 0) voxel[axis] = one.points.reduce((sum, point) => sum + point[axis]!, 0) / one.points.length;
  voxel[one.axis] = one.index;
  session.lookAt(voxel);
  if (plane < 0) return;
  session.active.value = plane;
  if (session.hanging.alone.value !== null) session.hanging.maximised.value = plane;
}

/** A point at the crosshair: of the measurement being placed, else the nearest end of the one in hand. */
export function placeAtCrosshair(session: CaseSession): void {
  const { measurements } = session;
  const axis = session.planes[session.active.value]!.slice_axis;
  const here: Triple = [...session.crosshair.value];
  const own = measurements.kept.value.find(({ id, own, axis: a, index }) => own && id === measurements.chosen.value && a === axis && index === here[axis]);
  if (own && !measurements.placing.value) {
    const far = (point: Triple): number => Math.hypot(...point.map((value, n) => value - here[n]!));
    const nearest = own.points.reduce((best, point, n) => (far(point) < far(own.points[best]!) ? n : best), 0);
    return void moveMeasurement(
      session,
      own.id,
      own.points.map((point, n) => (n === nearest ? here : point)),
    );
  }
  if (slab.value !== "off") return refuseSlab();
  if (!MEASURING_TOOLS.includes(tool.value)) return tell("info", "Choose a measuring tool first", "they are in the panel, under Measurements");
  placePoint(session, axis, here);
  finishPlacing(session);
}

/** Add a point to what is placed in this slice; another slice or tool begins anew. */
export function placePoint({ measurements }: CaseSession, axis: number, point: Triple): void {
  const kind = MEASURING[tool.value as MeasuringTool];
  const before = measurements.placing.value;
  const goesOn = before && before.kind === kind && before.axis === axis && before.index === point[axis];
  measurements.chosen.value = null;
  measurements.placing.value = { kind, axis, index: point[axis]!, points: [...(goesOn ? before.points : []), point] };
}
