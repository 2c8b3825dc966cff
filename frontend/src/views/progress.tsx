/** How the project goes: learning curve, speed, expected quality, models, rounds, jobs; live. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { listJobs, readProgress, trainNow } from "../api/calls";
import { watchProject } from "../api/stream";
import type { Job, Progress, Project, RoundLine } from "../api/types";
import { tell, tellError } from "../state/notices";
import { AdvicePanel, People } from "./advicepanel";
import { Allowed, Empty } from "./controls";
import { measured } from "./curve";
import { CurvePanel } from "./curvepanel";
import { ExportPanel } from "./exportpanel";
import { Header } from "./header";
import { Histogram } from "./histogram";
import { Jobs } from "./jobs";
import { Models } from "./models";
import { TriagePanel } from "./triage";
import { Warnings } from "./warnings";
import { WorkTable } from "./worktable";

export function ProgressView({ project }: { project: Project }) {
  const { progress, jobs, refresh } = useLive(project.id);
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
        {progress && <Summary project={project.id} progress={progress} busy={queueing} onTrain={train} />}
        <div class="grid">
          <section class="panel panel-wide">{progress && <CurvePanel points={measured(progress.curve)} />}</section>
          <section class="panel">
            <h2>Go on annotating?</h2>
            {progress && <AdvicePanel advice={progress.stopping} />}
            <h2>Expected quality of the pool</h2>
            {progress?.pool_quality ? (
              <PoolQuality pool={progress.pool_quality} />
            ) : (
              <Empty title={progress?.pool_note || "No prediction yet"}>{progress?.pool_note ? "" : "The first model fills this."}</Empty>
            )}
          </section>
          <section class="panel panel-wide">
            <h2>Models</h2>
            <Models project={project.id} models={progress?.models ?? []} curve={measured(progress?.curve ?? [])} onChange={refresh} />
          </section>
          <section class="panel">
            <h2>Rounds</h2>
            <Rounds rounds={progress?.rounds ?? []} />
            {progress && <People effort={progress.effort} queried={progress.queried} />}
          </section>
          <section class="panel panel-wide">
            <h2>Jobs</h2>
            <Jobs project={project.id} jobs={jobs} onChange={refresh} />
          </section>
          {progress && <WorkTable project={project.id} version={`${progress.annotated} ${progress.effort.map(({ minutes }) => minutes).join()}`} />}
          <Allowed verb="export" project={project.id}>
            <ExportPanel project={project} />
          </Allowed>
          {progress && <TriagePanel project={project} version={`${progress.annotated} ${progress.models.length} ${progress.pool_quality?.mean}`} />}
        </div>
      </main>
    </div>
  );
}

function useLive(project: string) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [jobs, setJobs] = useState<Job[]>([]);
  const refresh = useCallback(() => {
    readProgress(project).then(setProgress).catch(tellError);
    listJobs(project).then(setJobs).catch(tellError);
  }, [project]);
  useEffect(() => {
    refresh();
    const watch = watchProject(project, refresh);
    return () => watch.close();
  }, [project]);
  return { progress, jobs, refresh };
}

function Summary({ project, progress, busy, onTrain }: { project: string; progress: Progress; busy: boolean; onTrain: () => void }) {
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
          </tr>
        ))}
      </tbody>
    </table>
  );
}
