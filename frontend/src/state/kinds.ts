/** The tool that a case opens with, by the kind of annotation that was queried of it: a proposal that is only checked cannot be drawn over by chance. */
import type { OpenAssignment } from "../api/shapes";
import { type Tool, tool } from "./display";

let before: Tool | null = null;

/** Nothing that draws for a check of the proposal; after it the tool that was in hand before, unless another was taken since. */
export function takeToolFor(kind: OpenAssignment["kind"]): void {
  if (kind === "verify") {
    if (tool.value === "navigate") return;
    before = tool.value;
    tool.value = "navigate";
  } else if (before !== null) {
    if (tool.value === "navigate") tool.value = before;
    before = null;
  }
}
