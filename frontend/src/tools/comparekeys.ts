/** The keyboard where readings are compared: the keys that only look do as they do when annotating. */
import { type Comparison, MANNERS, manner } from "../state/comparing";
import { tool } from "../state/display";
import { tell } from "../state/notices";
import { isModifier, keyOf } from "./keynames";
import { pressKey } from "./keys";

export interface CompareScene {
  found: Comparison;
  leave: () => void;
  /** Presses the button of a verdict, where it is there. */
  press: (key: "a" | "t" | "e" | "y") => void;
}

const LOOKS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "+", "=", "-", "_", "r", "m", "x", "i", ",", ".", "<", ">", "w", "o"]);

/** True when the key meant something. */
export function pressCompareKey(event: KeyboardEvent, { found, leave, press }: CompareScene): boolean {
  const key = keyOf(event);
  const { session } = found;
  if (isModifier(key) || event.ctrlKey || event.metaKey || event.altKey) return false;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  if (LOOKS.has(key) || (digit && event.shiftKey)) return pressKey(event, { session, openDialog: () => undefined, leave });
  if (event.repeat) return false;
  if (key === "Escape") return stepOut(found, leave);
  if (digit) {
    const reading = found.readers[Number(digit) - 1];
    if (reading) found.toggle(reading.annotation_id);
    return reading !== undefined;
  }
  if (key === "v") manner.value = next(manner.value);
  else if (key === "z") tool.value = "region";
  else if (key === "a" || key === "t" || key === "e" || key === "y") press(key);
  else return false;
  return true;
}

function next(now: (typeof manner)["value"]): (typeof manner)["value"] {
  const names = MANNERS.map(([name]) => name);
  return names[(names.indexOf(now) + 1) % names.length]!;
}

/** What lies on top goes first: a stroke, the box, a maximised plane; then the case. */
function stepOut(found: Comparison, leave: () => void): true {
  const { session } = found;
  if (session.drag) session.drag.abandon();
  else if (session.advice.region.value) session.advice.region.value = null;
  else if (tool.value === "region") tool.value = "navigate";
  else if (session.hanging.maximised.value !== null) session.hanging.maximised.value = null;
  else if (found.rulings.value.length > 0) tell("info", "Your adjudication is not accepted yet", "accept or discard it first");
  else leave();
  return true;
}
