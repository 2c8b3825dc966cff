/** Who is signed in and what they may do. Everything that the page offers goes by `may`, which knows only the verbs that the server lists. */
import { signal } from "@preact/signals";
import type { Me, Role, Verb } from "./types";

/** Null until the server has said who it is. */
export const me = signal<Me | null>(null);

export const hasAccounts = (): boolean => me.value?.accounts ?? false;

/** Whether one may do this to a project; without a project, wherever all projects are meant. */
export function may(verb: Verb, project: string | null = null): boolean {
  return rightsIn(project)?.verbs.includes(verb) ?? false;
}

/** Whether one may do this to any project at all. */
export const maySomewhere = (verb: Verb): boolean => may(verb) || (me.value?.projects.some(({ verbs }) => verbs.includes(verb)) ?? false);

/** The roles that one may give and take, in a project or for all. */
export const gives = (project: string | null): readonly Role[] => rightsIn(project)?.gives ?? [];

/** Why something is out of reach, in one line. */
export const lacking = (verb: Verb): string => `your role here does not include “${verb}”`;

/** A project made since the rights were read has those for all projects. */
const rightsIn = (project: string | null) => me.value?.projects.find(({ project_id }) => project_id === project) ?? me.value;
