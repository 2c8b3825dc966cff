/** Whether there is a model to ask, without a request that is bound to fail. */
import { readProject } from "../api/calls";
import { NoModelError } from "../api/errors";
import { tell } from "./notices";
import type { CaseSession } from "./session";

/** Raises `NoModelError` when the project has none, not even since it was opened. */
export async function requireModel({ prediction, project }: CaseSession): Promise<void> {
  if (prediction.value || project.model || (await readProject(project.id)).model) return;
  throw new NoModelError();
}

/** Whether what the model says is not shown yet; says so. */
export function hiddenYet({ proposalHidden }: CaseSession): boolean {
  if (proposalHidden.value) tell("info", "What the model says is hidden until your first stroke", "draw first");
  return proposalHidden.value;
}
