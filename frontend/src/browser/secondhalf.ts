/**
 * The second half of a double click on what went away with the first half (a message, a dialog) would fall on what lies below it:
 * a dab on an image, a row that opens. It means nothing. A click by key has no place and is no half of anything.
 */

const HALF_MS = 500;
const HALF_POINTS = 8;
const PASSING = ".notice, dialog";

interface Press {
  at: number;
  x: number;
  y: number;
  /** What passes away with its messages and dialogs. */
  of: Element | null;
}

type Point = Pick<MouseEvent, "timeStamp" | "clientX" | "clientY">;

/** A click that a key made: browsers count no presses for it. */
export const isByKey = ({ type, detail }: Pick<MouseEvent, "type" | "detail">): boolean => type === "click" && detail === 0;

/** Whether a press is the second half of one on what is gone. */
export function isSecondHalf(first: Press | null, { timeStamp, clientX, clientY }: Point): boolean {
  if (!first?.of || (first.of.isConnected && !first.of.matches("dialog:not([open])"))) return false;
  return timeStamp - first.at < HALF_MS && Math.hypot(clientX - first.x, clientY - first.y) <= HALF_POINTS;
}

export function followPresses(): void {
  let first: Press | null = null;
  const swallow = (event: MouseEvent): void => {
    if (isByKey(event) || !isSecondHalf(first, event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  for (const name of ["pointerdown", "mousedown", "click", "dblclick"] as const) window.addEventListener(name, swallow, { capture: true });
  window.addEventListener(
    "click",
    (event) => {
      const { timeStamp, clientX, clientY, target } = event;
      if (isByKey(event)) first = null;
      else if (!isSecondHalf(first, event)) first = { at: timeStamp, x: clientX, y: clientY, of: (target as Element | null)?.closest?.(PASSING) ?? null };
    },
    { capture: true },
  );
}
