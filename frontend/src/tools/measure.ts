/** Measuring by pointer: a press places a point, a drag places two or moves an end; a click on a line takes a measurement into the hand. */
import type { Measurement, Triple } from "../api/types";
import { POINTS } from "../geometry/measure";
import { type Pixel, voxelOfPixel } from "../geometry/plane";
import { pixelOfPoint } from "../geometry/viewport";
import { HANDLE, pointsOn } from "../render/measures";
import { finishPlacing, moveMeasurement, placePoint, pointsOf } from "../state/measuring";
import type { Drag, PaneContact } from "./contact";

/** How near a press must be to an end or a line, in points of the pane. */
const NEAR = HANDLE + 4;

export function measuring(contact: PaneContact, at: Pixel): Drag | null {
  const { measurements } = contact.session;
  const end = endUnder(contact, at);
  if (end) {
    measurements.placing.value = null;
    measurements.chosen.value = end.one.id;
    return movingEnd(contact, end.one, end.number);
  }
  const line = measurements.placing.value ? null : lineUnder(contact, at);
  if (line) {
    measurements.chosen.value = line.id;
    return null;
  }
  return placing(contact, at);
}

/** A drag places both ends of a length or region at once; clicks place one after the other. */
function placing(contact: PaneContact, start: Pixel): Drag {
  const { session, plane } = contact;
  const { measurements } = session;
  placePoint(session, plane.slice_axis, pointAt(contact, start));
  const { kind, points } = measurements.placing.value!;
  const both = points.length === 1 && POINTS[kind] === 2;
  let last = start;
  const dragged = (): boolean => Math.hypot(last.x - start.x, last.y - start.y) > NEAR / 2;
  return {
    draws: true,
    move(at) {
      last = at;
      const placed = measurements.placing.value;
      if (placed && (!both || dragged())) measurements.placing.value = { ...placed, points: [...(both ? points : points.slice(0, -1)), pointAt(contact, at)] };
    },
    end() {
      const placed = measurements.placing.value;
      if (placed && both && !dragged()) measurements.placing.value = { ...placed, points };
      finishPlacing(session);
    },
    cancel() {
      measurements.placing.value = null;
    },
  };
}

function movingEnd(contact: PaneContact, one: Measurement, number: number): Drag {
  const { measurements } = contact.session;
  let points: readonly Triple[] = one.points;
  return {
    draws: true,
    move(at) {
      points = one.points.map((point, n) => (n === number ? pointAt(contact, at) : point));
      measurements.moving.value = { id: one.id, points };
    },
    end: () => points === one.points || moveMeasurement(contact.session, one.id, points),
    cancel() {
      measurements.moving.value = null;
    },
  };
}

/** The fractional voxel under a point of the pane, within the image; exactly in the slice. */
function pointAt({ session, index, plane, place }: PaneContact, at: Pixel): Triple {
  const { shape } = session.header;
  const voxel = voxelOfPixel(plane, shape, pixelOfPoint(place(), at), session.sliceNumber(index));
  return voxel.map((value, axis) => Math.min(shape[axis]! - 0.5, Math.max(-0.5, value))) as Triple;
}

function here({ session, index, plane }: PaneContact): Measurement[] {
  const number = session.sliceNumber(index);
  return session.measurements.kept.value.filter((one) => one.axis === plane.slice_axis && one.index === number && one.points.length > 0);
}

const onPane = (contact: PaneContact, one: Measurement): Pixel[] =>
  pointsOn(pointsOf(contact.session.measurements, one), { plane: contact.plane, shape: contact.session.header.shape, place: contact.place() });

/** Only one's own can be moved; the newest is on top. */
function endUnder(contact: PaneContact, at: Pixel): { one: Measurement; number: number } | null {
  for (const one of here(contact).reverse()) {
    if (!one.own) continue;
    const number = onPane(contact, one).findIndex(({ x, y }) => Math.hypot(x - at.x, y - at.y) <= NEAR);
    if (number >= 0) return { one, number };
  }
  return null;
}

function lineUnder(contact: PaneContact, at: Pixel): Measurement | null {
  return here(contact).findLast((one) => outline(one.kind, onPane(contact, one)).some(([a, b]) => distance(at, a, b) <= NEAR)) ?? null;
}

/** The lines of a measurement; an ellipse as a polygon. */
function outline(kind: Measurement["kind"], at: readonly Pixel[]): [Pixel, Pixel][] {
  const [a, b] = at as [Pixel, Pixel];
  let corners = [...at];
  if (kind === "rectangle") corners = [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }, a];
  if (kind === "ellipse") {
    const turns = Array.from({ length: 33 }, (_, n) => (n * Math.PI) / 16);
    corners = turns.map((turn) => ({ x: (a.x + b.x + (b.x - a.x) * Math.cos(turn)) / 2, y: (a.y + b.y + (b.y - a.y) * Math.sin(turn)) / 2 }));
  }
  return corners.slice(1).map((corner, n) => [corners[n]!, corner]);
}

function distance(at: Pixel, a: Pixel, b: Pixel): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const share = Math.max(0, Math.min(1, ((at.x - a.x) * dx + (at.y - a.y) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(at.x - a.x - share * dx, at.y - a.y - share * dy);
}
