/** A start before the first annotation: what trainings begin with, and ways to another one. */
import { useEffect, useState } from "preact/hooks";
import { listProjects, pretrainNow, readPretraining, transferFrom } from "../api/calls";
import { may } from "../api/me";
import type { Job, Pretraining, Project, ProjectLine, Start } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Allowed, Bar } from "./controls";

interface Props {
  project: Project;
  jobs: Job[];
  onChange: () => void;
}

/** The newest job of this kind that is not over. */
const underway = (jobs: Job[]): Job | undefined => jobs.find(({ kind, state }) => kind === "pretrain" && (state === "running" || state === "queued"));

/** The button beside that for a training, with the progress of what it began. */
export function PretrainButton({ project, jobs, onChange }: Props) {
  const [busy, setBusy] = useState(false);
  const job = underway(jobs);
  const begin = (): void => {
    setBusy(true);
    pretrainNow(project.id)
      .then(() => tell("info", "Pretraining is queued: the network learns from the images, annotated or not"))
      .then(onChange)
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <Allowed verb="train" project={project.id}>
      {job && <Bar share={job.progress} label={`Pretraining ${Math.round(job.progress * 100)} % done`} />}
      <button data-testid="pretrain-now" disabled={busy || job !== undefined} onClick={begin}>
        {job ? "Pretraining…" : "Pretrain"}
      </button>
    </Allowed>
  );
}

/** What is in use, and weights of other projects. */
export function PretrainingPanel({ project, jobs, onChange }: Props) {
  const [found, setFound] = useState<Pretraining | null>(null);
  const states = jobs.map(({ kind, state }) => kind === "pretrain" && state).join();
  useEffect(() => {
    readPretraining(project.id).then(setFound).catch(tellError);
  }, [project.id, states]);
  if (!found) return null;
  return (
    <section class="panel panel-all" data-testid="pretraining">
      <h2>What networks begin with</h2>
      <p data-testid="pretraining-state">{stateOf(found)}</p>
      {found.refusal && <p class="hint">{found.refusal}: import more training cases, or begin with another project's model.</p>}
      {found.start && found.start.layers.length > 0 && <Report start={found.start} />}
      <Allowed verb="train" project={project.id}>
        <Transfer project={project} onChange={onChange} />
      </Allowed>
    </section>
  );
}

/** The state in a line. */
export function stateOf({ setting, start }: Pretraining): string {
  if (setting === "none") return "Random weights: pretraining is off";
  if (start) return `Networks begin with ${start.origin === "pool" ? "weights " : ""}${start.words}`;
  return setting === "pool" ? "Nothing yet: the next training pretrains on the pool first" : "Nothing yet: no weights were brought, and trainings fail";
}

function Report({ start }: { start: Start }) {
  return (
    <details data-testid="pretraining-report">
      <summary>What became of each of {start.layers.length} layers</summary>
      <table class="table table-small">
        <thead>
          <tr>
            <th>Layer</th>
            <th>Shape</th>
            <th>How</th>
            <th>From, or why not</th>
          </tr>
        </thead>
        <tbody>
          {start.layers.map(({ name, shape, how, source, why }) => (
            <tr key={name}>
              <td>{name}</td>
              <td>{shape.join("×")}</td>
              <td>{how}</td>
              <td>{source || why}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {start.unused.length > 0 && <p class="hint">Not used: {start.unused.join(", ")}</p>}
    </details>
  );
}

function Transfer({ project, onChange }: { project: Project; onChange: () => void }) {
  const [others, setOthers] = useState<ProjectLine[]>([]);
  const [chosen, setChosen] = useState("");
  const [layers, setLayers] = useState<"all" | "encoder">("all");
  useEffect(() => {
    listProjects()
      .then((all) => setOthers(all.filter(({ id, model }) => id !== project.id && model && may("export", id))))
      .catch(tellError);
  }, [project.id]);
  if (others.length === 0) return null;
  const take = (): void => {
    transferFrom(project.id, { from_project: chosen, layers })
      .then(() => tell("info", "The weights are being taken over; what became of each layer will stand here"))
      .then(onChange)
      .catch(tellError);
  };
  return (
    <div class="row">
      <select aria-label="Project whose model to begin with" data-testid="transfer-from" value={chosen} onChange={(e) => setChosen(e.currentTarget.value)}>
        <option value="">another project's model…</option>
        {others.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <select aria-label="What to take" value={layers} onChange={(e) => setLayers(e.currentTarget.value as "all" | "encoder")}>
        <option value="all">all that fits</option>
        <option value="encoder">the encoder</option>
      </select>
      <button data-testid="transfer-now" disabled={!chosen} onClick={take}>
        Begin with it
      </button>
    </div>
  );
}
