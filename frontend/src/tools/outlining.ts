/** Outlines on one slice: points set one by one, or a line drawn freely. Closed, they are a preview; Ctrl or T takes away instead of giving. */
import { type Pixel, sliceOf } from "../geometry/plane";
import { pixelOfPoint, pointOfPixel } from "../geometry/viewport";
import { thinned } from "../operations/polygon";
import { negative, tool } from "../state/display";
import type { OpenRing } from "../state/editing";
import { mayDraw } from "../state/labelling";
import { tell } from "../state/notices";
import { accept, closeRing } from "../state/operations";
import type { Drag, PaneContact, Pressed } from "./contact";

/** How near, in points of the screen, a click closes an outline: on its first point, or again on its last. */
const NEAR_FIRST = 8;
const NEAR_LAST = 2;

export function outlining(contact: PaneContact, at: Pixel, event: Pressed): Drag | null {
  const { session, index } = contact;
  const { open } = session.editing;
  const number = session.sliceNumber(index);
  if (open.value && !(open.value.kind === "outline" && open.value.plane === index && open.value.number === number)) {
    if (open.value.kind === "outline") tell("info", "An outline on another slice is not accepted yet", "Enter accepts it, Esc puts it away");
    else accept(session);
    return null;
  }
  if (!mayDraw(session)) return null;
  const removes = event.ctrlKey || event.metaKey;
  const ring = { plane: index, number, subtract: negative.value !== removes };
  if (tool.value === "freehand") return drawing(contact, at, ring);
  if (open.value && !session.editing.ring.value && !removes) accept(session);
  else place(contact, at, ring);
  return null;
}

function place(contact: PaneContact, at: Pixel, ring: Omit<OpenRing, "points">): void {
  const { session } = contact;
  const { value } = session.editing.ring;
  const isNear = (point: Pixel | undefined, limit: number): boolean => {
    if (!point) return false;
    const { x, y } = pointOfPixel(contact.place(), point);
    return Math.hypot(x - at.x, y - at.y) <= limit;
  };
  const here = value?.plane === ring.plane && value.number === ring.number ? value.points : [];
  if (here.length >= 3 && (isNear(here[0], NEAR_FIRST) || isNear(here.at(-1), NEAR_LAST))) return closeRing(session);
  if (!isNear(here.at(-1), NEAR_LAST)) session.editing.addPoint(ring, within(contact, at));
}

/** A press without a drag accepts what is shown. */
function drawing(contact: PaneContact, at: Pixel, ring: Omit<OpenRing, "points">): Drag {
  const { session } = contact;
  const { editing } = session;
  let points = [within(contact, at)];
  let farthest = 0;
  const show = (): void => {
    editing.ring.value = { ...ring, points };
  };
  const drop = (): void => {
    editing.ring.value = null;
  };
  show();
  return {
    draws: true,
    move(to) {
      farthest = Math.max(farthest, Math.hypot(to.x - at.x, to.y - at.y));
      points.push(within(contact, to));
      show();
    },
    end() {
      points = thinned(points);
      const drawn = farthest > NEAR_FIRST / 2 && points.length >= 3;
      if (drawn) show();
      else drop();
      if (drawn) closeRing(session);
      else if (editing.open.value) accept(session);
    },
    cancel: drop,
  };
}

/** A place beyond the slice lies on its border. */
function within({ session, plane, index, place: placement }: PaneContact, at: Pixel): Pixel {
  const { x, y } = pixelOfPoint(placement(), at);
  const { width, height } = sliceOf(plane, session.header.shape, session.sliceNumber(index));
  return { x: Math.min(width, Math.max(-1, x)), y: Math.min(height, Math.max(-1, y)) };
}
