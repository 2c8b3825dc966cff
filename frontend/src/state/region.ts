/** The reader's box: where a hypothesis is taken, or what must not count as evidence. */
import { tool } from "./display";
import type { CaseSession } from "./session";

/** Without a box there is nothing to act on: put the box into the hand and say what it is for. */
export function askForBox({ advice }: CaseSession, purpose: string): void {
  tool.value = "region";
  advice.message.value = `Draw a box first, then ${purpose}`;
}
