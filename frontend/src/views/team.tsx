/** The team at a glance, for who leads it: what waits, minutes and money, skill and open work per person, agreement, suspect annotations. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as calls from "../api/calls";
import { watchReadings } from "../api/stream";
import type { AgreementWindow, AnnotatorLine, Project, Suspect, Waiting } from "../api/types";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { AgreementChart } from "./agreement";
import { Allowed, Bar, Empty } from "./controls";
import { money } from "./format";
import { GoldPanel } from "./goldpanel";
import { Header } from "./header";
import { skillWords } from "./readers";
import { Takeaway } from "./takeaway";
import { Warnings } from "./warnings";
import { WorkTable } from "./worktable";

export function TeamView({ project }: { project: Project }) {
  const { people, waiting, windows, suspects } = useTeam(project.id);
  useEffect(() => {
    document.title = `Team – ${project.name}`;
  }, [project.name]);
  return (
    <div class="view">
      <Header project={project} view="team" />
      <main class="page page-wide" data-testid="team">
        <h1>Team</h1>
        <Warnings project={project} />
        {people && waiting && <Summary project={project} people={people} waiting={waiting} />}
        <div class="grid">
          <section class="panel panel-all">
            <h2>People</h2>
            <Takeaway name="team">{people && <People lines={people} />}</Takeaway>
          </section>
          <div class="panel-all">
            <WorkTable project={project.id} version={people?.map(({ minutes }) => minutes).join() ?? ""} />
          </div>
          <GoldPanel project={project.id} version={waiting} />
          <section class="panel panel-wide">
            <h2>Agreement of the readings</h2>
            <Takeaway name="agreement">{windows && <AgreementChart project={project} windows={windows} />}</Takeaway>
          </section>
          <section class="panel">
            <h2>Suspect annotations</h2>
            <Allowed verb="review" project={project.id}>
              <Takeaway name="suspects">{suspects && <Suspects project={project} found={suspects} />}</Takeaway>
            </Allowed>
          </section>
        </div>
      </main>
    </div>
  );
}

interface Team {
  people: AnnotatorLine[] | null;
  waiting: Waiting[] | null;
  windows: AgreementWindow[] | null;
  suspects: Suspect[] | null;
}

function useTeam(project: string): Team {
  const [team, setTeam] = useState<Team>({ people: null, waiting: null, windows: null, suspects: null });
  useEffect(() => {
    const put = <K extends keyof Team>(name: K, value: Promise<Team[K]>): void =>
      void value.then((found) => setTeam((before) => ({ ...before, [name]: found }))).catch(tellError);
    const read = (): void => {
      put("people", calls.readAnnotators(project));
      put("waiting", calls.listReview(project));
      put("windows", calls.readAgreement(project));
    };
    read();
    put("suspects", calls.listSuspects(project)); // it reads every mask: once a visit
    const watch = watchReadings(project, read);
    return () => watch.close();
  }, [project]);
  return team;
}

function Summary({ project, people, waiting }: { project: Project; people: AnnotatorLine[]; waiting: Waiting[] }) {
  const sum = (of: (line: AnnotatorLine) => number): number => people.reduce((total, line) => total + of(line), 0);
  const inState = (state: string): number => waiting.filter(({ progress }) => progress.state === state).length;
  const facts: [string, ComponentChildren, string][] = [
    ["In review", inState("in review"), "queue-length"],
    ["Returned", inState("returned"), "returned-length"],
    ["Open now", sum(({ open }) => open), "open-total"],
    ["Minutes", sum(({ minutes }) => minutes).toFixed(1), "minutes-total"],
    ["Cost", money(sum(({ cost }) => cost)), "cost-total"],
  ];
  return (
    <div class="row">
      <dl class="stats grow">
        {facts.map(([name, value, testid]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-testid={testid}>{value}</dd>
          </div>
        ))}
      </dl>
      <a class="button" href={linkTo.review(project.id)}>
        Review queue
      </a>
    </div>
  );
}

interface Column {
  head: string;
  title?: string;
  /** Figures stand at the right. */
  words?: boolean;
  cell: (line: AnnotatorLine) => ComponentChildren;
}

/** One entry per column: what is added here is shown. */
const COLUMNS: readonly Column[] = [
  { head: "Who", words: true, cell: ({ annotator }) => <bdi class="strong">{annotator}</bdi> },
  { head: "Annotations", cell: ({ annotations }) => annotations },
  {
    head: "Minutes",
    title: "Active, also on what was undone, skipped, never submitted, and on verdicts",
    cell: ({ timed, minutes }) => (timed === 0 && minutes === 0 ? "–" : minutes.toFixed(1)),
  },
  {
    head: "Idle",
    title: "Minutes for which a case was open and nobody worked on it",
    cell: ({ idle_minutes: idle }) => (idle === null ? "–" : idle.toFixed(1)),
  },
  {
    head: "Median",
    title: "Active seconds of the middle annotation",
    cell: ({ median_seconds: median }) => (median === null ? "–" : `${Math.round(median)} s`),
  },
  { head: "Per minute", title: "Cost of a minute, in a unit of yours", cell: ({ cost_per_minute: rate }) => money(rate) },
  { head: "Cost", cell: ({ cost }) => money(cost) },
  {
    head: "Skill",
    title: "Against the consensus, over the cases that others read, too; with its 90 % interval",
    words: true,
    cell: (line) => <SkillBar line={line} />,
  },
  {
    head: "By the image",
    title: "Skill by the consensus and by how strong the image's edges along their outlines are (1 as for the median reader)",
    words: true,
    cell: ({ skill_by_image: value, skill_by_image_low: low, skill_by_image_high: high }) =>
      value === null ? <span class="faint">–</span> : skillWords({ value, low, high }),
  },
  {
    head: "Edges",
    title: "How strong the image's edges along their outlines are: 1 as for the median reader",
    cell: ({ edges }) => edges?.toFixed(2) ?? "–",
  },
  {
    head: "Per week",
    title: "The most that routing gives them within seven days",
    cell: ({ hours_per_week: hours, cases_per_week: cases }) =>
      [hours !== null && `${hours} h`, cases !== null && `${cases} cases`].filter(Boolean).join(", ") || "–",
  },
  { head: "Shared cases", title: "Cases that others read, too", cell: ({ shared }) => shared },
  { head: "Open", title: "Cases that they have open now", cell: ({ open }) => open },
  { head: "Returned", title: "Cases returned to them that they have not annotated since", cell: ({ returned }) => returned },
];

function SkillBar({ line }: { line: AnnotatorLine }) {
  const { annotator, skill: value, skill_low: low, skill_high: high } = line;
  if (value === null) return <span class="faint">–</span>;
  const words = skillWords({ value, low, high });
  return (
    <span class="quality quality-wide" data-testid={`team-skill-${annotator}`}>
      <Bar share={value} label={`Skill of ${annotator}: ${words}`} />
      {words}
    </span>
  );
}

function People({ lines }: { lines: readonly AnnotatorLine[] }) {
  if (lines.length === 0) return <Empty title="Nobody has annotated yet" />;
  const look = ({ words }: Column): string | undefined => (words ? undefined : "number");
  return (
    <div class="scrolls">
      <table class="table table-small" data-testid="team-people">
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th key={column.head} class={look(column)} title={column.title}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.annotator} data-name={line.annotator}>
              {COLUMNS.map((column) => (
                <td key={column.head} class={look(column)}>
                  {column.cell(line)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Suspects({ project, found }: { project: Project; found: readonly Suspect[] }) {
  if (found.length === 0) return <Empty title="None">No annotation is improbable by its other readers or by a model that had not learned from it.</Empty>;
  return (
    <ol class="suspects" data-testid="suspects">
      {found.map(({ case_id: id, case: name, annotation_id, annotator, score, against, reason }) => (
        <li key={`${annotation_id} ${against}`}>
          <span class="row">
            <a href={linkTo.readings(project.id, id)}>{name}</a>
            <bdi class="grow">{annotator}</bdi>
            <span class="number" title="How improbable it is, 0 to 1">
              {score.toFixed(2)}
            </span>
          </span>
          <span class="hint">{reason}</span>
        </li>
      ))}
    </ol>
  );
}
