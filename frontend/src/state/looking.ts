/** A case of a project that can only be read: opened for looking, walked through by the worklist; what would change it is refused in words. */
import * as calls from "../api/calls";
import type { Opened, Project } from "../api/types";
import { voxelCount } from "../geometry/plane";
import { receiveMask } from "../volume/download";
import { tool } from "./display";
import { keptFilters } from "./filters";
import { tell, tellError } from "./notices";
import { go, linkTo } from "./router";
import { type CaseSession, whyLooksOnly } from "./session";

/** The longest list that the server gives at once. */
const MOST_ROWS = 1000;

/** The chosen case, else the first one of the worklist; null when the list is empty. Nothing is written on the server. */
export async function lookAt(project: Project, caseId: string | null): Promise<Opened | null> {
  const id = caseId ?? (await casesOf(project.id).next()).value;
  if (!id) return null;
  const { situation, ...seen } = await calls.lookAtCase(project.id, id);
  if (tool.value !== "window") tool.value = "navigate";
  return {
    ...seen,
    assignment: {
      id: "",
      case_id: id,
      round_id: null,
      revision: 0,
      reason: "",
      opened_at: "",
      active_seconds: 0,
      proposal_hidden: false,
      kind: "",
      minutes: null,
      annotated: [],
      queried_label: null,
      parts: [],
      frames: [],
      ...situation,
    },
  };
}

/** What a draft opened now would begin with. */
export async function readShownMask({ project, header, opened, proposal }: CaseSession, proposed: Promise<unknown>): Promise<Uint8Array> {
  if (opened.previous) return receiveMask(await calls.readAnnotationMask(project.id, opened.previous.id), voxelCount(header.shape));
  await proposed;
  return proposal.value?.slice() ?? new Uint8Array(voxelCount(header.shape));
}

/** The next (or previous) case of the worklist, as it is searched and filtered. */
export async function stepCase(session: CaseSession, by: 1 | -1): Promise<void> {
  const { project, header } = session;
  let [before, here] = ["", false];
  try {
    for await (const id of casesOf(project.id)) {
      if (here) return go(linkTo.case(project.id, id));
      here = id === header.id;
      if (here && by < 0) return before ? go(linkTo.case(project.id, before)) : tell("info", "This is the first case of the worklist");
      before = id;
    }
    tell("info", here ? "This is the last case of the worklist" : "This case is not in the worklist as it is searched and filtered");
  } catch (error) {
    tellError(error);
  }
}

async function* casesOf(project: string): AsyncGenerator<string, undefined> {
  let after = "";
  do {
    const page = await calls.listCases(project, keptFilters(project), { limit: MOST_ROWS, after });
    for (const { id } of page.rows) yield id;
    after = page.cursor;
  } while (after);
}

export const refuseChange = ({ project }: CaseSession): void => tell("info", "This project can be looked at only, nothing is saved", whyLooksOnly(project));
