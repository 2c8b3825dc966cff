/** What every tool shares: the pane under the pointer, and what a press goes on to do. */
import type { PlaneHeader } from "../api/types";
import type { Pixel } from "../geometry/plane";
import type { Placement } from "../geometry/viewport";
import type { Rect } from "../render/slice";
import type { CaseSession } from "../state/session";

/** What a gesture needs to know about the pane it happens in. */
export interface PaneContact {
  session: CaseSession;
  index: number;
  plane: PlaneHeader;
  place: () => Placement;
  centre: () => Pixel;
  /** Labels changed; `part` says where in this pane's slice. */
  painted: (part: Rect) => void;
}

/** The panes on the screen, by their plane: what keys do at the crosshair happens in one of them. */
export const contacts = new Map<number, PaneContact>();

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
