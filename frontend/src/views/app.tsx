/** Chooses the view by the address. */
import { useEffect, useState } from "preact/hooks";
import { readMe, readProject } from "../api/calls";
import { explain } from "../api/errors";
import { hasAccounts, may, maySomewhere, me } from "../api/me";
import { annotatorName } from "../api/person";
import type { Project } from "../api/types";
import { helpShown } from "../state/display";
import { dismissPassing } from "../state/notices";
import { projectOf, route } from "../state/router";
import { isComposing } from "../tools/keynames";
import { pressIn } from "../tools/keytable";
import { PAGE_KEYS, type PageScene } from "../tools/pagekeys";
import { Annotate } from "./annotate";
import { Header } from "./header";
import { later, Missing } from "./later";
import { Notices } from "./notices";
import { Projects } from "./projects";
import { SignIn } from "./signin";
import { Tooltips } from "./tooltip";
import { Worklist } from "./worklist";

const AcquisitionView = later(() => import("./acquisition").then((part) => part.AcquisitionView));
const ArchiveView = later(() => import("./archive").then((part) => part.ArchiveView));
const AccountView = later(() => import("./account").then((part) => part.AccountView));
const CompareView = later(() => import("./comparing").then((part) => part.CompareView));
const Help = later(
  () => import("./help").then((part) => part.Help),
  ({ failed }) => (failed && helpShown.value ? <Missing failed /> : null),
);
const GridView = later(() => import("./grid").then((part) => part.GridView));
const MapView = later(() => import("./map").then((part) => part.MapView));
const Palette = later(
  () => import("./palette").then((part) => part.Palette),
  () => null,
);
const PeopleView = later(() => import("./people").then((part) => part.PeopleView));
const ProgressView = later(() => import("./progress").then((part) => part.ProgressView));
const QueueView = later(() => import("./queue").then((part) => part.QueueView));
const SettingsView = later(() => import("./settings").then((part) => part.SettingsView));
const TeamView = later(() => import("./team").then((part) => part.TeamView));

/** Everything depends on who is here; until that is known, nothing is shown but the form to sign in. */
export function App() {
  const [failure, setFailure] = useState<Failure>(null);
  useEffect(() => {
    readMe()
      .then((fresh) => (me.value ??= fresh))
      .catch((error: unknown) => setFailure(explain(error)));
  }, []);
  return (
    <>
      {me.value === null ? <Waiting failure={failure} /> : <Views />}
      <SignIn />
    </>
  );
}

type Failure = { message: string; remedy: string } | null;

function Views() {
  const here = route.value;
  const id = projectOf(here);
  const { project, failure } = useProject(id, here.view);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const types = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (event.defaultPrevented || isComposing(event) || (types && !event.ctrlKey && !event.metaKey) || document.querySelector("dialog[open]")) return;
      if (pressIn<PageScene>(event, PAGE_KEYS, {})) event.preventDefault();
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
      {id === null ? <ServerView /> : project ? <ProjectView project={project} /> : <Waiting failure={failure} />}
      <Notices />
      <Help kind={project?.kind ?? null} />
      <Palette />
      <Tooltips />
    </>
  );
}

/** A held Enter presses the button or link in focus once, in every view. */
function pressOnce(event: KeyboardEvent): void {
  const pressed = event.key === "Enter" || event.key === " ";
  if (event.repeat && pressed && (event.target as HTMLElement | null)?.closest?.("button, a, summary")) event.preventDefault();
}

function ServerView() {
  const { view } = route.value;
  if (view === "account" && hasAccounts()) return <AccountView />;
  return view === "everybody" && hasAccounts() && maySomewhere("manage") ? <PeopleView project={null} /> : <Projects />;
}

function ProjectView({ project }: { project: Project }) {
  const here = route.value;
  if (here.view === "settings") return <SettingsView project={project} />;
  if (here.view === "people" && hasAccounts() && may("manage", project.id)) return <PeopleView project={project} />;
  if (here.view === "progress") return <ProgressView project={project} />;
  if (here.view === "review" && may("review", project.id)) return <QueueView project={project} />;
  if (here.view === "readings") return <CompareView project={project} caseId={here.caseId} />;
  if (here.view === "edit" && may("review", project.id)) return <Annotate project={project} caseId={here.caseId} decides />;
  if (here.view === "team" && may("manage", project.id)) return <TeamView project={project} />;
  if (here.view === "archive" && may("add", project.id)) return <ArchiveView project={project} />;
  if (here.view === "acquisition" && may("annotate", project.id)) return <AcquisitionView project={project} />;
  if (here.view === "map") return <MapView project={project} />;
  if (here.view === "annotate") return <Annotate project={project} caseId={here.caseId} />;
  if (here.view === "grid" && project.kind === "classification") return <GridView project={project} query={here.query} />;
  return <Worklist project={project} query={"query" in here ? here.query : ""} />;
}

function Waiting({ failure }: { failure: Failure }) {
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
  const [state, setState] = useState<{ project: Project | null; failure: Failure }>({ project: null, failure: null });
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
