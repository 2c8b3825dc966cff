/** The projects this server knows. */
import { useEffect, useState } from "preact/hooks";
import { listProjects } from "../api/calls";
import type { ProjectLine } from "../api/types";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Allowed, Bar, Empty, Swatch } from "./controls";
import { Header } from "./header";

export function Projects() {
  const [projects, setProjects] = useState<ProjectLine[] | null>(null);
  useEffect(() => {
    document.title = "medloop";
    listProjects().then(setProjects).catch(tellError);
  }, []);
  return (
    <div class="view">
      <Header />
      <main class="page">
        <h1>Projects</h1>
        {projects?.length === 0 && <Empty title="No project yet">Make one with: medloop init FOLDER --kind segmentation --label NAME</Empty>}
        <div class="cards">
          {projects?.map((project) => (
            <ProjectCard key={project.id} project={project} />
          ))}
        </div>
      </main>
    </div>
  );
}

function ProjectCard({ project }: { project: ProjectLine }) {
  const share = project.cases ? project.annotated / project.cases : 0;
  return (
    <article class="card" data-testid={`project-${project.id}`}>
      <h2>
        <a href={linkTo.worklist(project.id)}>{project.name}</a>
      </h2>
      <p class="labels">
        {project.labels.map((label) => (
          <span key={label.value}>
            <Swatch colour={label.colour} />
            {label.name}
          </span>
        ))}
      </p>
      <Bar share={share} label={`${project.annotated} of ${project.cases} cases annotated`} />
      <p class="facts">
        <span>
          {project.annotated} of {project.cases} cases annotated
        </span>
        <span>{project.model ? `Model ${project.model.index}` : "No model yet"}</span>
        {project.round && (
          <span>
            Round {project.round.index}: {project.round.state}
          </span>
        )}
      </p>
      <div class="row">
        <Allowed verb="annotate" project={project.id}>
          <a class="button primary" href={linkTo.next(project.id)} data-testid={`annotate-${project.id}`}>
            Annotate cases
          </a>
        </Allowed>
        <a class="button" href={linkTo.worklist(project.id)}>
          Worklist
        </a>
        <a class="button" href={linkTo.progress(project.id)}>
          Progress
        </a>
      </div>
    </article>
  );
}
