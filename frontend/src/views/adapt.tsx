/** Adapting the model in use to a group that drifted: queued for the worker, and what came of it, in words. */
import { useEffect, useState } from "preact/hooks";
import { adaptTo, listJobs } from "../api/calls";
import type { Job, Project } from "../api/types";
import { tellError } from "../state/notices";
import { Allowed } from "./controls";

const LOOK_MS = 1000;

export type Way = "intensities" | "entropy";

/** What the server is sent for a group of the report, whose name is its column and its value: "scanner B". */
export const groupOf = (by: string, group: string): { by: string; value: string } | null => {
  if (by === "all") return { by, value: "" };
  return group.startsWith(`${by} `) ? { by, value: group.slice(by.length + 1) } : null;
};

/** What a job says of itself to whoever waits for it; "" for one that is not known. */
export const standing = (job: Job | undefined): string => {
  if (!job) return "";
  if (job.state === "queued") return "Waiting for the worker…";
  if (job.state === "running") return `${job.message || "At work"}…`;
  return job.state === "failed" ? `Nothing was made: ${job.error}` : job.result_message || "Ended";
};

const ended = (job: Job | undefined): boolean => !!job && job.state !== "queued" && job.state !== "running";

export function AdaptButton({ project, by, group }: { project: Project; by: string; group: string }) {
  const [way, setWay] = useState<Way>("intensities");
  const [id, setId] = useState("");
  const [job, setJob] = useState<Job | undefined>(undefined);
  useEffect(() => {
    if (!id || ended(job)) return;
    const timer = setInterval(() => {
      listJobs(project.id)
        .then((jobs) => setJob(jobs.find((one) => one.id === id)))
        .catch(tellError);
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [project.id, id, ended(job)]);
  const wanted = groupOf(by, group);
  if (!wanted) return null;
  const busy = id !== "" && !ended(job);
  const send = (): void => {
    setJob(undefined);
    adaptTo(project.id, { ...wanted, way })
      .then(({ job_id }) => setId(job_id))
      .catch(tellError);
  };
  return (
    <Allowed verb="train" project={project.id}>
      <span class="row">
        <select value={way} data-testid="adapt-way" aria-label="How" onChange={(event) => setWay(event.currentTarget.value as Way)}>
          <option value="intensities">by intensities</option>
          <option value="entropy">by entropy (needs annotated patients)</option>
        </select>
        <button class="small" disabled={busy} data-testid="adapt" title="A candidate for this group; the model in use stays as it is" onClick={send}>
          {busy ? "Adapting…" : "Adapt the model"}
        </button>
      </span>
      {id && (
        <p class="hint" role="status" data-testid="adapt-result">
          {standing(job) || "Waiting for the worker…"}
        </p>
      )}
    </Allowed>
  );
}
