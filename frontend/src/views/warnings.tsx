/** What holds for a project as a whole and must not go unseen: it can be looked at only; cases are damaged; annotations lack a label. */
import type { Project } from "../api/types";
import { linkTo } from "../state/router";
import { whyLooksOnly } from "../state/session";

export function Warnings({ project }: { project: Project }) {
  return (
    <>
      <ReadOnly project={project} />
      <Cases project={project} found={project.damaged} id="damaged" why="Left out of training and export, because stored bytes are damaged" />
      <Cases project={project} found={project.oversized} id="oversized" why="Left out by the models, because their voxel size is out of all proportion" />
      {project.label_gaps?.map((gap) => (
        <p key={gap} class="banner" role="status" data-testid="label-gap">
          {gap}
        </p>
      ))}
    </>
  );
}

export function ReadOnly({ project }: { project: Project }) {
  const why = whyLooksOnly(project);
  if (!why) return null;
  return (
    <p class="banner" role="status" data-testid="read-only">
      This project can be looked at only, nothing is saved: {why}
    </p>
  );
}

interface Found {
  project: Project;
  found: Project["damaged"];
  id: string;
  why: string;
}

function Cases({ project, found = [], id, why }: Found) {
  if (found.length === 0) return null;
  return (
    <p class="banner" role="status" data-testid={id}>
      {why}:{" "}
      {found.map(({ case_id, name, reason }, n) => (
        <>
          {n > 0 && ", "}
          <a key={case_id} href={linkTo.case(project.id, case_id)} title={reason}>
            {name}
          </a>
        </>
      ))}
    </p>
  );
}
