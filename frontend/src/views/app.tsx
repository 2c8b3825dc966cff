/** Chooses the view by the address. */
import { useEffect, useState } from "preact/hooks";
import { readProject } from "../api/calls";
import { explain } from "../api/errors";
import { annotatorName } from "../api/person";
import type { Project } from "../api/types";
import { helpShown } from "../state/display";
import { dismissPassing } from "../state/notices";
import { route } from "../state/router";
import { keyOf } from "../tools/keynames";
import { Annotate } from "./annotate";
import { Header } from "./header";
import { Help } from "./help";
import { Notices } from "./notices";
import { ProgressView } from "./progress";
import { Projects } from "./projects";
import { SettingsView } from "./settings";
import { Worklist } from "./worklist";

export function App() {
  const here = route.value;
  const id = here.view === "projects" ? null : here.project;
  const { project, failure } = useProject(id, here.view);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (keyOf(event) !== "?" || event.repeat || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      helpShown.value = !helpShown.value;
    };
    window.addEventListener("keydown", onKey);
    window.addEventListener("keydown", pressOnce, { capture: true });
    return () => {
      window.removeEventListener("keydown", onKey);
      window.removeEventListener("keydown", pressOnce, { capture: true });
    };
  }, []);
  return (
    <>
      {here.view === "projects" ? <Projects /> : project ? <ProjectView project={project} /> : <Waiting failure={failure} />}
      <Notices />
      <Help kind={project?.kind ?? null} />
    </>
  );
}

/** A held Enter presses the button or link in focus once, in every view. */
function pressOnce(event: KeyboardEvent): void {
  const pressed = event.key === "Enter" || event.key === " ";
  if (event.repeat && pressed && (event.target as HTMLElement | null)?.closest?.("button, a, summary")) event.preventDefault();
}

function ProjectView({ project }: { project: Project }) {
  const here = route.value;
  if (here.view === "settings") return <SettingsView project={project} />;
  if (here.view === "progress") return <ProgressView project={project} />;
  if (here.view === "annotate") return <Annotate project={project} caseId={here.caseId} />;
  return <Worklist project={project} />;
}

function Waiting({ failure }: { failure: { message: string; remedy: string } | null }) {
  return (
    <div class="view">
      <Header />
      <main class="centre" role="alert">
        {failure && (
          <div class="empty">
            <strong>{failure.message}</strong>
            <p>{failure.remedy}</p>
            <button class="primary" onClick={() => location.reload()}>
              Try again
            </button>
          </div>
        )}
      </main>
    </div>
  );
}

/** The project of the address; read again for each view, so that counts are fresh. */
function useProject(id: string | null, view: string) {
  const [state, setState] = useState<{ project: Project | null; failure: { message: string; remedy: string } | null }>({ project: null, failure: null });
  const person = annotatorName.value;
  useEffect(() => {
    let stale = false;
    if (id !== null && state.project && state.project.id !== id) dismissPassing(); // an offer of another project would lead back into it
    if (state.project?.id !== id) setState({ project: null, failure: null });
    if (id !== null) {
      readProject(id)
        .then((project) => !stale && setState({ project, failure: null }))
        .catch((error: unknown) => !stale && setState({ project: null, failure: explain(error) }));
    }
    return () => {
      stale = true;
    };
  }, [id, view, person]);
  return state.project && state.project.id !== id ? { project: null, failure: null } : state;
}
