/** Archives: studies are looked up by patient, date and modality, and pulled by the worker; nothing of the search is kept. */
import { useEffect, useState } from "preact/hooks";
import { findStudies, listJobs, pullStudies, readArchives } from "../api/calls";
import { watchProject } from "../api/stream";
import type { Archives, Found, FoundStudy, Job, Project } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Empty } from "./controls";
import { Header } from "./header";
import { JobsDrawer } from "./jobs";

const AT_ONCE = 100;

interface Sought {
  server: string;
  patient: string;
  from: string;
  to: string;
  modality: string;
}

export function ArchiveView({ project }: { project: Project }) {
  const [archives, setArchives] = useState<Archives | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const [modality, setModality] = useState("");
  const [jobs, setJobs] = useState<Job[]>([]);
  const refresh = (): void => void listJobs(project.id).then(setJobs).catch(tellError);
  useEffect(() => {
    document.title = `Archive – ${project.name}`;
    readArchives(project.id).then(setArchives).catch(tellError);
    refresh();
    const watch = watchProject(project.id, refresh);
    return () => watch.close();
  }, [project.id]);
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide" data-testid="archive">
        <h1>Archive</h1>
        {archives?.trouble && (
          <Empty title="No archive can be contacted">
            <span data-testid="archive-trouble">{archives.trouble}</span>
          </Empty>
        )}
        {archives && archives.servers.length > 0 && (
          <Search
            project={project}
            servers={archives.servers}
            onFound={(studies, of) => {
              setFound(studies);
              setModality(of);
            }}
          />
        )}
        {found && <Studies key={found.studies.map(({ study }) => study).join()} project={project} found={found} modality={modality} onPulled={refresh} />}
      </main>
      <JobsDrawer project={project.id} jobs={jobs} onChange={refresh} />
    </div>
  );
}

function Search({ project, servers, onFound }: { project: Project; servers: string[]; onFound: (found: Found, modality: string) => void }) {
  const [sought, setSought] = useState<Sought>({ server: servers[0]!, patient: "", from: "", to: "", modality: "" });
  const [busy, setBusy] = useState(false);
  const field = (name: keyof Sought, words: string, type = "text") => (
    <label class="hint">
      {words}{" "}
      <input
        type={type}
        value={sought[name]}
        maxLength={64}
        autocomplete="off"
        data-testid={`archive-${name}`}
        onInput={(event) => setSought({ ...sought, [name]: event.currentTarget.value })}
      />
    </label>
  );
  const { server, patient, from, to } = sought;
  const modality = sought.modality.trim().toUpperCase();
  const search = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    const date = from && from === to ? from : from || to ? `${from}..${to}` : "";
    findStudies(project.id, { server, patient: patient.trim(), date, modality })
      .then((found) => onFound(found, modality))
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <form class="filter-bar" onSubmit={search} aria-label="Search the archive">
      {servers.length > 1 && (
        <label class="hint">
          Archive{" "}
          <select value={server} data-testid="archive-server" onChange={(event) => setSought({ ...sought, server: event.currentTarget.value })}>
            {servers.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      {field("patient", "Patient ID, * for any characters")}
      {field("from", "Study from", "date")}
      {field("to", "to", "date")}
      {field("modality", "Modality")}
      <button class="primary" disabled={busy || !(patient.trim() || from || to || modality)} data-testid="archive-search">
        {busy ? "Searching…" : "Search"}
      </button>
    </form>
  );
}

interface StudiesProps {
  project: Project;
  found: Found;
  modality: string;
  onPulled: () => void;
}

function Studies({ project, found, modality, onPulled }: StudiesProps) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [annotations, setAnnotations] = useState(false);
  const [busy, setBusy] = useState(false);
  if (found.studies.length === 0) return <Empty title="No study fits">Widen the search; * stands for any characters.</Empty>;
  const flip = (study: string): void => {
    const next = new Set(chosen);
    if (!next.delete(study)) next.add(study);
    setChosen(next);
  };
  const pull = (): void => {
    setBusy(true);
    pullStudies(project.id, { server: found.server, studies: [...chosen].slice(0, AT_ONCE), modality, annotations })
      .then(() => {
        tell("info", "The pull is queued: its progress stands below, among the jobs");
        setChosen(new Set());
        onPulled();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <>
      {found.more && <p class="hint">More studies fit than are listed; narrow the search.</p>}
      <div>
        <table class="table" data-testid="archive-studies">
          <thead>
            <tr>
              <th />
              <th>Patient</th>
              <th>Date</th>
              <th>Modalities</th>
              <th>Description</th>
              <th>Series</th>
              <th>Images</th>
            </tr>
          </thead>
          <tbody>
            {found.studies.map((one) => (
              <Row key={one.study} study={one} chosen={chosen.has(one.study)} onFlip={() => flip(one.study)} />
            ))}
          </tbody>
        </table>
      </div>
      <div class="row">
        <button class="primary" disabled={busy || chosen.size === 0 || chosen.size > AT_ONCE} data-testid="archive-pull" onClick={pull}>
          Pull {chosen.size > 0 ? chosen.size : ""}
        </button>
        <label class="hint">
          <input type="checkbox" checked={annotations} onChange={(event) => setAnnotations(event.currentTarget.checked)} /> with SEG and RTSTRUCT as annotations
        </label>
        {chosen.size > AT_ONCE && <span class="hint">At most {AT_ONCE} at once.</span>}
      </div>
    </>
  );
}

function Row({ study, chosen, onFlip }: { study: FoundStudy; chosen: boolean; onFlip: () => void }) {
  return (
    <tr>
      <td>
        <input type="checkbox" checked={chosen} aria-label={`Study of ${study.date}`} onChange={onFlip} />
      </td>
      <td>
        <bdi>{study.patient}</bdi>
      </td>
      <td>{study.date.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3")}</td>
      <td>{study.modalities}</td>
      <td>
        <bdi>{study.description}</bdi>
      </td>
      <td>{study.series ?? "?"}</td>
      <td>{study.instances ?? "?"}</td>
    </tr>
  );
}
