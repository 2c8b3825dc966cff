/** The tool that a case opens with, by the kind of annotation that was queried of it: a proposal that is only checked cannot be drawn over by chance. */
import type { OpenAssignment } from "../api/shapes";
import { type Tool, tool } from "./display";

type Kind = OpenAssignment["kind"];

const IN_HAND: Partial<Record<Kind, Tool>> = { verify: "navigate", scribbles: "scribble", boxes: "box", tags: "navigate" };

let before: Tool | null = null;
let taken: Tool | null = null;

/** Whether a case is queried for marks in place of a mask, of whichever kind. */
export const asksForMarks = (kind: Kind): boolean => kind === "marks" || kind === "scribbles" || kind === "boxes" || kind === "tags";

/** Nothing that draws for a check of the proposal and for tags, else the tool of the marks; after it the one in hand before, unless another was taken. */
export function takeToolFor(kind: Kind): void {
  const wanted = IN_HAND[kind];
  if (wanted !== undefined) {
    if (before === null && tool.value === wanted) return;
    if (before === null || tool.value !== taken) before = tool.value;
    tool.value = taken = wanted;
  } else if (before !== null) {
    if (tool.value === taken) tool.value = before;
    before = taken = null;
  }
}
