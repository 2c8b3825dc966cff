/** The keyboard where readings are compared; the keys that only look do as they do when annotating. */
import { type Comparison, MANNERS, manner } from "../state/comparing";
import { tool } from "../state/display";
import { tell } from "../state/notices";
import { type KeyScene, take } from "./keyactions";
import { actionsOf, press, pressKey, refusalOf } from "./keys";
import { attempt, type KeyAction, pressIn } from "./keytable";
import { type Offer, offersOf } from "./palette";

type Verdict = "approve" | "return" | "edit" | "history";

export interface CompareScene {
  found: Comparison;
  leave: () => void;
  /** Presses the button of a verdict, where it is there. */
  press: (verdict: Verdict) => void;
  /** Why it cannot be pressed; "" when it can. */
  lacks: (verdict: Verdict) => string;
}

// biome-ignore format: one entry per line, so that branches which add keys merge
export const COMPARE_KEYS = [
  { id: "compare-reader", group: "Review", keys: ["1…9"], does: "Show or hide a reading", each: readerNames, run: ({ found }, at) => toggleReader(found, at) },
  { id: "compare-manner", group: "Review", keys: ["V"], does: "Over each other, side by side, or as a map", run: () => turnManner() },
  { id: "compare-region", group: "Review", keys: ["Z"], does: "Draw a box to adjudicate in", run: () => take("region") },
  { id: "compare-approve", group: "Review", keys: ["A"], does: "Approve", why: lacking("approve"), run: ({ press }) => press("approve") },
  { id: "compare-return", group: "Review", keys: ["T"], does: "Return", why: lacking("return"), run: ({ press }) => press("return") },
  { id: "compare-edit", group: "Review", keys: ["E"], does: "Edit: draw the decision", why: lacking("edit"), run: ({ press }) => press("edit") },
  { id: "compare-history", group: "Review", keys: ["Y"], does: "History", why: lacking("history"), run: ({ press }) => press("history") },
  { id: "compare-leave", group: "Page", keys: ["Escape"], does: "Cancel a stroke; take the box away; back to the queue", run: ({ found, leave }) => stepOut(found, leave) },
] as const satisfies readonly KeyAction<CompareScene>[];

/** True when the key meant something. */
export function pressCompareKey(event: KeyboardEvent, scene: CompareScene): boolean {
  return pressIn<CompareScene>(event, COMPARE_KEYS, scene) || pressKey(event, caseScene(scene));
}

/** For the palette. */
export function compareOffers(scene: CompareScene): Offer[] {
  const own = offersOf<CompareScene>(COMPARE_KEYS, scene, { why: (action) => action.why?.(scene) ?? "", press: attempt });
  return [...own, ...offersOf(actionsOf(scene.found.session), caseScene(scene), { why: refusalOf, press })];
}

const caseScene = ({ found, leave }: CompareScene): KeyScene => ({ session: found.session, openDialog: () => undefined, leave });

function lacking(verdict: Verdict): (scene: CompareScene) => string {
  return ({ lacks }) => lacks(verdict);
}

function readerNames({ found }: CompareScene): string[] {
  return found.readers.map(({ annotator }) => annotator);
}

function toggleReader(found: Comparison, at: number): boolean {
  const reading = found.readers[at];
  if (reading) found.toggle(reading.annotation_id);
  return reading !== undefined;
}

function turnManner(): void {
  const names = MANNERS.map(([name]) => name);
  manner.value = names[(names.indexOf(manner.value) + 1) % names.length]!;
}

/** What lies on top goes first: a stroke, the box, a maximised plane; then the case. */
function stepOut(found: Comparison, leave: () => void): void {
  const { session } = found;
  if (session.drag) session.drag.abandon();
  else if (session.advice.region.value) session.advice.region.value = null;
  else if (tool.value === "region") tool.value = "navigate";
  else if (session.hanging.maximised.value !== null) session.hanging.maximised.value = null;
  else if (found.rulings.value.length > 0) tell("info", "Your adjudication is not accepted yet", "accept or discard it first");
  else leave();
}
