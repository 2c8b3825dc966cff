/** Background work: what runs, how far, what it says, and a way to stop it; in a drawer at the edge of the page. */
import { useEffect, useState } from "preact/hooks";
import { cancelJob, readJobLog } from "../api/calls";
import type { Job, LogLine } from "../api/types";
import { tellError } from "../state/notices";
import { Allowed, Bar, Empty } from "./controls";
import { clock, duration } from "./format";

const SHOWN = 12;

const TICK_MS = 1000;

/** Its handle says what runs and for how long; open, it shows the jobs. */
export function JobsDrawer({ project, jobs, onChange }: { project: string; jobs: Job[]; onChange: () => void }) {
  const [open, setOpen] = useState(false);
  const running = jobs.filter(({ state }) => state === "running");
  const waiting = jobs.filter(({ state }) => state === "queued").length;
  useTick(running.length > 0);
  const words = running.map((job) => `${job.kind} ${Math.round(job.progress * 100)} %, ${timing(job).split(" · ").pop()}`);
  return (
    <aside class={open ? "drawer drawer-open" : "drawer"} aria-label="Jobs" data-testid="jobs-drawer">
      <button class="drawer-handle" aria-expanded={open} data-testid="jobs-open" onClick={() => setOpen(!open)}>
        <strong>Jobs</strong>
        <span class="faint" data-testid="jobs-state">
          {[...words, ...(waiting > 0 ? [`${waiting} waiting`] : [])].join("; ") || "none running"}
        </span>
        <span aria-hidden="true">{open ? "▾" : "▴"}</span>
      </button>
      {open && (
        <div class="drawer-body">
          <Jobs project={project} jobs={jobs} onChange={onChange} />
        </div>
      )}
    </aside>
  );
}

/** Draws again every second while something runs, so that times go on. */
function useTick(on: boolean): void {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = on ? window.setInterval(() => setTick((count) => count + 1), TICK_MS) : 0;
    return () => window.clearInterval(timer);
  }, [on]);
}

function Jobs({ project, jobs, onChange }: { project: string; jobs: Job[]; onChange: () => void }) {
  const [open, setOpen] = useState<string | null>(null);
  if (jobs.length === 0) return <Empty title="No job yet">Training and predictions appear here.</Empty>;
  const newestFirst = [...jobs].sort((a, b) => b.created_at.localeCompare(a.created_at)).slice(0, SHOWN);
  const cancel = (job: Job): void => {
    cancelJob(project, job.id).then(onChange).catch(tellError);
  };
  return (
    <ul class="jobs" data-testid="jobs">
      {newestFirst.map((job) => (
        <li key={job.id} data-testid={`job-${job.id}`}>
          <div class="job">
            <button class="quiet job-name" aria-expanded={open === job.id} onClick={() => setOpen(open === job.id ? null : job.id)}>
              {open === job.id ? "▾" : "▸"} {job.kind}
            </button>
            <span class={`state state-${job.state}`}>{job.state}</span>
            <span class="job-message" title={job.error || job.message}>
              {job.error || job.message}
            </span>
            {job.state === "running" && <Bar share={job.progress} label={`${Math.round(job.progress * 100)} % done`} />}
            <span class="faint job-time">{timing(job)}</span>
            {(job.state === "running" || job.state === "queued") && (
              <Allowed verb="train" project={project}>
                <button class="small" data-testid={`cancel-${job.id}`} onClick={() => cancel(job)}>
                  Cancel
                </button>
              </Allowed>
            )}
          </div>
          {open === job.id && <Log project={project} job={job} />}
        </li>
      ))}
    </ul>
  );
}

function timing(job: Job): string {
  if (!job.started_at) return clock(job.created_at);
  const until = job.finished_at ? new Date(job.finished_at) : new Date();
  const seconds = (until.getTime() - new Date(job.started_at).getTime()) / 1000;
  return `${clock(job.started_at)} · ${duration(Math.max(0, seconds))}`;
}

const LOG_MS = 1500;

function Log({ project, job }: { project: string; job: Job }) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const lives = job.state === "running" || job.state === "queued";
  useEffect(() => {
    let [after, timer, closed] = [0, 0, false];
    const look = (): void => {
      readJobLog(project, job.id, after)
        .then(({ lines: fresh }) => {
          if (closed) return;
          after = fresh[fresh.length - 1]?.seq ?? after;
          if (fresh.length > 0) setLines((known) => [...known.filter((line) => line.seq < fresh[0]!.seq), ...fresh]);
          if (lives) timer = window.setTimeout(look, LOG_MS);
        })
        .catch(tellError);
    };
    look();
    return () => {
      closed = true;
      window.clearTimeout(timer);
    };
  }, [project, job.id, lives]);
  return (
    <pre class="log" role="region" tabIndex={0} aria-label={`Log of ${job.kind}`} data-testid="job-log">
      {lines.length === 0 ? "Nothing written yet" : lines.map((line) => `${clock(line.at)}  ${line.text}`).join("\n")}
    </pre>
  );
}
