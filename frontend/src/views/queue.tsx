/** The reviewer's queue: cases in review, least agreement first, then those that were returned. */
import { useEffect, useState } from "preact/hooks";
import { listReview } from "../api/calls";
import { watchProject } from "../api/stream";
import type { Project, Waiting } from "../api/types";
import { tellError } from "../state/notices";
import { go, linkTo } from "../state/router";
import { Bar, Empty } from "./controls";
import { Header } from "./header";
import { ReadingChip } from "./readingstate";
import { Warnings } from "./warnings";

export function QueueView({ project }: { project: Project }) {
  const [waiting, setWaiting] = useState<Waiting[] | null>(null);
  useEffect(() => {
    document.title = `Review – ${project.name}`;
    const read = (): void => void listReview(project.id).then(setWaiting).catch(tellError);
    read();
    const watch = watchProject(project.id, read);
    return () => watch.close();
  }, [project.id]);
  const due = waiting?.filter(({ progress }) => progress.state === "in review") ?? [];
  const returned = waiting?.filter(({ progress }) => progress.state === "returned") ?? [];
  return (
    <div class="view">
      <Header project={project} view="review" />
      <main class="page page-wide" data-testid="review-queue">
        <h1>Review</h1>
        <Warnings project={project} />
        {waiting && due.length === 0 && <Empty title="No case waits for a review">{rule(project)}</Empty>}
        {due.length > 0 && <Table project={project} rows={due} testid="in-review" />}
        {returned.length > 0 && (
          <>
            <h2 class="after">Returned</h2>
            <Table project={project} rows={returned} testid="returned" />
          </>
        )}
      </main>
    </div>
  );
}

/** When a case comes here, by the project's settings. */
function rule({ settings }: Project): string {
  if (settings.review === "all") return "Every case comes here once it has its readings.";
  const least = (settings.minimum_agreement ?? 0).toFixed(2);
  if (settings.review === "disagreement") return `A case comes here when its readings agree less than ${least}.`;
  return "The setting “review” is none: cases are accepted without a review. Choose “disagreement” or “all” in the settings.";
}

function Table({ project, rows, testid }: { project: Project; rows: Waiting[]; testid: string }) {
  const returned = rows.some(({ returned_to: to }) => to !== null);
  return (
    <table class="table" data-testid={testid}>
      <thead>
        <tr>
          <th>Case</th>
          <th>State</th>
          <th>Agreement</th>
          <th>Readers</th>
          {returned && <th>Returned to</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.case_id} project={project} row={row} returned={returned} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ project, row, returned }: { project: Project; row: Waiting; returned: boolean }) {
  const { agreement } = row.progress;
  const link = linkTo.readings(project.id, row.case_id);
  return (
    <tr data-row data-testid={`waiting-${row.case_id}`} onClick={() => go(link)}>
      <td class="strong">
        <a href={link}>{row.name}</a>
      </td>
      <td>
        <ReadingChip progress={row.progress} />
      </td>
      <td>
        {agreement === null ? (
          <span class="faint">–</span>
        ) : (
          <span class="quality">
            <Bar share={agreement} tone={agreement < (project.settings.minimum_agreement ?? 0) ? "tone-low" : ""} label={`Agreement ${agreement.toFixed(2)}`} />
            {agreement.toFixed(2)}
          </span>
        )}
      </td>
      <td>
        <bdi>{row.readers.join(", ")}</bdi>
      </td>
      {returned && (
        <td>
          <bdi>{row.returned_to}</bdi> <span class="hint">{row.comment}</span>
        </td>
      )}
    </tr>
  );
}
