/** How the project goes: learning curve, speed, expected quality, models, rounds, jobs; live. */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { listJobs, readChange, readProgress, trainNow } from "../api/calls";
import { watchProject } from "../api/stream";
import type { ClassCount, Job, ModelChange, Progress, Project, RoundLine } from "../api/types";
import { tell, tellError } from "../state/notices";
import { People } from "./advicepanel";
import { Answers, BeforeAndAfter } from "./answers";
import { Allowed, Empty } from "./controls";
import { measured } from "./curve";
import { CurvePanel } from "./curvepanel";
import { DriftPanel } from "./drift";
import { ExportPanel } from "./exportpanel";
import { Header } from "./header";
import { Histogram } from "./histogram";
import { JobsDrawer } from "./jobs";
import { later } from "./later";
import { Models } from "./models";
import { PretrainButton, PretrainingPanel } from "./pretraining";
import { SelectedPanel } from "./selected";
import { Takeaway } from "./takeaway";
import { TriagePanel } from "./triage";
import { Warnings } from "./warnings";
import { WorkTable } from "./worktable";

const ContinualPanels = later(
  () => import("./continual").then((part) => part.ContinualPanels),
  () => null,
);

const FederationsPanel = later(
  () => import("./federations").then((part) => part.FederationsPanel),
  () => null,
);

const ProductionPanel = later(
  () => import("./production").then((part) => part.ProductionPanel),
  () => null,
);

export function ProgressView({ project }: { project: Project }) {
  const { progress, change, jobs, refresh } = useLive(project.id);
  useEffect(() => {
    document.title = `Progress – ${project.name}`;
  }, [project.name]);
  const [queueing, setQueueing] = useState(false);
  const train = (): void => {
    setQueueing(true);
    trainNow(project.id)
      .then(() => {
        tell("info", "Training is queued");
        refresh();
      })
      .catch(tellError)
      .finally(() => setQueueing(false));
  };
  return (
    <div class="view">
      <Header project={project} view="progress" />
      <main class="page page-wide" data-testid="progress">
        <Warnings project={project} />
        {progress ? (
          <>
            <Summary project={project.id} progress={progress} busy={queueing} onTrain={train}>
              <PretrainButton project={project} jobs={jobs ?? []} onChange={refresh} />
            </Summary>
            <Answers progress={progress} change={change} />
            <Panels project={project} progress={progress} change={change} jobs={jobs ?? []} onChange={refresh} />
          </>
        ) : (
          <p class="hint" role="status">
            Loading…
          </p>
        )}
        {jobs && <JobsDrawer project={project.id} jobs={jobs} onChange={refresh} />}
      </main>
    </div>
  );
}

interface PanelsProps {
  project: Project;
  progress: Progress;
  change: ModelChange | null;
  jobs: Job[];
  onChange: () => void;
}

/** Everything below the answers; what is not known yet is not shown as if it were not there. */
function Panels({ project, progress, change, jobs, onChange }: PanelsProps) {
  const curve = measured(progress.curve);
  return (
    <div class="grid">
      <section class="panel panel-wide">
        <Takeaway name="learning-curve">
          <CurvePanel points={curve} />
        </Takeaway>
        {progress.selected && <SelectedPanel selected={progress.selected} />}
      </section>
      <section class="panel">
        <h2>Expected quality of the pool</h2>
        {progress.pool_quality ? (
          <Takeaway name="expected-quality">
            <PoolQuality pool={progress.pool_quality} />
          </Takeaway>
        ) : (
          <Empty title={progress.pool_note || "No prediction yet"}>{progress.pool_note ? "" : "The first model fills this."}</Empty>
        )}
      </section>
      <section class="panel panel-wide">
        <h2>Models</h2>
        <Takeaway name="models">
          <Models project={project.id} models={progress.models} curve={curve} onChange={onChange} />
        </Takeaway>
      </section>
      <section class="panel">
        <h2>Labels</h2>
        <Takeaway name="labels">
          <Labels queried={progress.queried} />
        </Takeaway>
        <Takeaway name="people">
          <People effort={progress.effort} />
        </Takeaway>
      </section>
      {change && <BeforeAndAfter project={project.id} change={change} />}
      <section class="panel panel-all">
        <h2>Rounds</h2>
        <Takeaway name="rounds">
          <Rounds rounds={progress.rounds} />
        </Takeaway>
      </section>
      <ContinualPanels project={project.id} version={`${progress.models.length} ${progress.curve.length} ${jobs.length}`} onChange={onChange} />
      <PretrainingPanel project={project} jobs={jobs} onChange={onChange} />
      <WorkTable project={project.id} version={`${progress.annotated} ${progress.effort.map(({ minutes }) => minutes).join()}`} />
      <Allowed verb="export" project={project.id}>
        <ExportPanel project={project} />
      </Allowed>
      <TriagePanel project={project} version={`${progress.annotated} ${progress.models.length} ${progress.pool_quality?.mean}`} />
      <DriftPanel project={project} />
      <FederationsPanel project={project.id} version={`${progress.models.length}`} />
      <ProductionPanel project={project.id} version={`${progress.annotated} ${progress.models.length} ${jobs.length}`} onChange={onChange} />
    </div>
  );
}

function useLive(project: string) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [change, setChange] = useState<ModelChange | null>(null);
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const refresh = useCallback(() => {
    readProgress(project).then(setProgress).catch(tellError);
    listJobs(project).then(setJobs).catch(tellError);
  }, [project]);
  useEffect(() => {
    refresh();
    const watch = watchProject(project, refresh);
    return () => watch.close();
  }, [project]);
  const models = progress?.models.length ?? 0;
  useEffect(() => {
    if (models > 1) readChange(project).then(setChange).catch(tellError);
  }, [project, models, progress?.curve.length]);
  return { progress, change, jobs, refresh };
}

interface SummaryProps {
  project: string;
  progress: Progress;
  busy: boolean;
  onTrain: () => void;
  /** Stands before the button that trains. */
  children: ComponentChildren;
}

function Summary({ project, progress, busy, onTrain, children }: SummaryProps) {
  const latest = progress.models[progress.models.length - 1];
  const facts: [string, string][] = [
    ["Annotated", `${progress.annotated} of ${progress.total}`],
    ["Annotations per hour", progress.labels_per_hour === null ? "–" : progress.labels_per_hour.toFixed(0)],
    ["Models", latest ? String(latest.index) : "none yet"],
    ["Expected quality", progress.pool_quality?.mean == null ? "–" : progress.pool_quality.mean.toFixed(2)],
  ];
  return (
    <div class="row">
      <dl class="stats grow">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <a href={`/api/v1/projects/${project}/report`} target="_blank" rel="noopener" data-testid="report">
        Report
      </a>
      {children}
      <Allowed verb="train" project={project}>
        <button class="primary" data-testid="train-now" disabled={busy} onClick={onTrain}>
          Train now
        </button>
      </Allowed>
    </div>
  );
}

function PoolQuality({ pool }: { pool: NonNullable<Progress["pool_quality"]> }) {
  return (
    <>
      <p class="hint">
        {pool.mean === null ? "No estimate yet" : `Mean ${pool.mean.toFixed(2)}`}
        {pool.low_count > 0 && `; ${pool.low_count} case${pool.low_count === 1 ? "" : "s"} expected to be poor`}
      </p>
      <Histogram counts={pool.histogram} label="Unlabelled cases by expected quality, 0 to 1" />
    </>
  );
}

/** How often each label was met, and in how many of these cases because a query chose them. */
function Labels({ queried }: { queried: ClassCount[] }) {
  return (
    <table class="table table-small" data-testid="labels">
      <thead>
        <tr>
          <th>Label</th>
          <th class="number">Annotations</th>
          <th class="number">Queried</th>
          <th class="number">Annotated in</th>
        </tr>
      </thead>
      <tbody>
        {queried.map(({ label, annotated, queried: chosen, known, cases }) => (
          <tr key={label}>
            <td class="strong">{label}</td>
            <td class="number">{annotated}</td>
            <td class="number">{chosen}</td>
            <td class="number">
              {known} of {cases} cases
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const WORK = [
  ["minutes", "Minutes"],
  ["strokes", "Strokes"],
  ["prompts", "Prompts"],
  ["slices", "Slices"],
] as const;

function Rounds({ rounds }: { rounds: RoundLine[] }) {
  if (rounds.length === 0) return <Empty title="No round yet" />;
  return (
    <table class="table table-small" data-testid="rounds">
      <thead>
        <tr>
          <th>Round</th>
          <th>State</th>
          <th>Chosen by</th>
          <th class="number">Annotated</th>
          {WORK.map(([, name]) => (
            <th key={name} class="number">
              {name} per case
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {[...rounds].reverse().map((round) => (
          <tr key={round.index}>
            <td class="strong">{round.index}</td>
            <td>
              <span class={`state state-${round.state}`}>{round.state}</span>
              {round.state === "failed" && <p class="hint">{round.message}</p>}
            </td>
            <td>{round.strategy}</td>
            <td class="number">
              {round.annotated} / {round.cases}
            </td>
            {WORK.map(([key, name]) => (
              <td key={name} class="number">
                {round.work?.[key]?.toFixed(1) ?? "–"}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
