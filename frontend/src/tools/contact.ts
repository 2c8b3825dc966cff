/** What every tool shares: the pane under the pointer, and what a press goes on to do. */
import type { PlaneHeader } from "../api/types";
import type { Pixel } from "../geometry/plane";
import type { Placement } from "../geometry/viewport";
import type { Rect } from "../render/slice";
import type { CaseSession } from "../state/session";

/** What a tool needs to know about the pane it is used in. */
export interface PaneContact {
  session: CaseSession;
  index: number;
  plane: PlaneHeader;
  place: () => Placement;
  centre: () => Pixel;
  /** Labels changed; `part` says where in this pane's slice. */
  painted: (part: Rect) => void;
}

/** What a press is told apart by. */
export type Pressed = Pick<PointerEvent, "button" | "shiftKey" | "altKey" | "ctrlKey" | "metaKey">;

export interface Drag {
  /** Whether it changes the mask or is answered by an engine, rather than moving the view. */
  draws?: boolean;
  move(at: Pixel, event: PointerEvent): void;
  end(): void;
  /** Somebody called it off, or the browser took the pointer away; painting is undone, the rest just ends. */
  cancel(): void;
}

const panes = new WeakMap<CaseSession, Map<number, PaneContact>>();

/** The panes of a case that are on the screen, by plane: for a tool that is used without a pointer. */
export function panesOf(session: CaseSession): Map<number, PaneContact> {
  const known = panes.get(session) ?? new Map<number, PaneContact>();
  panes.set(session, known);
  return known;
}
