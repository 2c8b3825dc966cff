/** The worklist: search, filter, open; every row by keyboard. */
import { useEffect, useState } from "preact/hooks";
import { listCases } from "../api/calls";
import { may } from "../api/me";
import { annotatorName, isSameName } from "../api/person";
import { watchProject } from "../api/stream";
import type { CaseLine, CaseState, Project, ReadingFilter } from "../api/types";
import { type Filters, keepFilters, keptFilters, lastOffset } from "../state/filters";
import { tellError } from "../state/notices";
import { go, linkTo } from "../state/router";
import { isComposing } from "../tools/keynames";
import { pressIn } from "../tools/keytable";
import { LIST_KEYS, type ListScene } from "../tools/listkeys";
import { Allowed, Bar, Empty, Key } from "./controls";
import { Header } from "./header";
import { Icon } from "./icons";
import { KeptEdits } from "./kept";
import { ReadingChips, readsSeveral } from "./readingstate";
import { Warnings } from "./warnings";

const PAGE = 50;
const STATES: [CaseState, string][] = [
  ["all", "All"],
  ["unlabelled", "Unlabelled"],
  ["annotated", "Annotated"],
  ["skipped", "Skipped"],
  ["flagged", "Flagged"],
];
const WORDS = Object.fromEntries(STATES.map(([state, word]) => [state, word.toLowerCase()]));

const READINGS: [ReadingFilter, string][] = [
  ["any", "all"],
  ["read", "read k of n"],
  ["in review", "in review"],
  ["returned", "returned"],
  ["accepted", "accepted"],
];

export function Worklist({ project }: { project: Project }) {
  const [filters, setFilters] = useState<Filters>(() => keptFilters(project.id));
  const { state, reading, search, offset } = filters;
  const [found, setFound] = useState<{ total: number; rows: CaseLine[] } | null>(null);
  const [news, setNews] = useState(0);
  const person = annotatorName.value;
  useEffect(() => {
    document.title = `${project.name} – medloop`;
    const abort = new AbortController();
    listCases(project.id, { state, reading, search, limit: PAGE, offset }, abort.signal)
      .then((page) => (page.rows.length === 0 && offset > 0 ? show({ offset: lastOffset(page.total, PAGE) }) : setFound(page)))
      .catch((error: unknown) => abort.signal.aborted || tellError(error));
    return () => abort.abort();
  }, [project, state, reading, search, offset, person, news]);
  useEffect(() => {
    const watch = watchProject(project.id, () => setNews((count) => count + 1));
    return () => watch.close();
  }, [project.id]);
  useEffect(() => listen(project.id), [project.id]);
  const show = (changed: Partial<Filters>): void => {
    const next = { ...filters, ...changed };
    keepFilters(project.id, next);
    setFilters(next);
  };
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide">
        <Counts project={project} />
        <KeptEdits project={project} />
        <Warnings project={project} />
        <div class="filter-bar">
          <SearchBox search={search} onSearch={(text) => show({ search: text, offset: 0 })} />
          <div class="segments" role="group" aria-label="Show">
            {STATES.map(([value, name]) => (
              <button key={value} aria-pressed={state === value} data-testid={`filter-${value}`} onClick={() => show({ state: value, offset: 0 })}>
                {name}
              </button>
            ))}
          </div>
          {readsSeveral(project) && (
            <label class="hint">
              Readings{" "}
              <select
                value={reading}
                data-testid="filter-reading"
                onChange={(event) => show({ reading: event.currentTarget.value as ReadingFilter, offset: 0 })}
              >
                {READINGS.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          <span class="grow" />
          <Allowed verb="annotate" project={project.id}>
            <a class="button primary" href={linkTo.next(project.id)} data-testid="start">
              Annotate next case <Key of="list-next" />
            </a>
          </Allowed>
        </div>
        {found && <CaseTable project={project} rows={found.rows} />}
        {found && <Pages total={found.total} offset={offset} onOffset={(next) => show({ offset: next })} />}
      </main>
    </div>
  );
}

/** What a control in focus does with a key goes first. */
function listen(project: string): () => void {
  const focusOn = (what: string): void => document.querySelector<HTMLElement>(what)?.focus();
  const scene: ListScene = {
    focusSearch: () => focusOn("[data-testid=search]"),
    focusRows: () => focusOn("[data-row]"),
    annotateNext: may("annotate", project) ? () => go(linkTo.next(project)) : null,
  };
  const onKey = (event: KeyboardEvent): void => {
    const { target } = event;
    const typed = event.key.length === 1 && !(target instanceof HTMLInputElement || target instanceof HTMLSelectElement);
    if (event.defaultPrevented || isComposing(event) || !(typed || target === document.body) || document.querySelector("dialog[open]")) return;
    if (pressIn(event, LIST_KEYS, scene)) event.preventDefault();
  };
  window.addEventListener("keydown", onKey);
  return () => window.removeEventListener("keydown", onKey);
}

function Counts({ project }: { project: Project }) {
  const { counts } = project;
  const facts: [string, string | number][] = [
    ["Cases", counts.total],
    ["Annotated", counts.annotated],
    ["Skipped", counts.skipped],
    ["Flagged", counts.flagged],
    ["Model", project.model ? project.model.index : "none yet"],
    ["Next by", project.strategy],
  ];
  return (
    <dl class="stats">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      {!project.workers.alive && (
        <div class="stat-warning">
          <dt>Worker</dt>
          <dd>not running: nothing is learned until “medloop worker” runs</dd>
        </div>
      )}
    </dl>
  );
}

function SearchBox({ search, onSearch }: { search: string; onSearch: (text: string) => void }) {
  return (
    <label class="search">
      <Icon name="search" />
      <input
        type="search"
        defaultValue={search}
        placeholder="Search name or patient"
        aria-label="Search cases"
        data-testid="search"
        onInput={(event) => onSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (isComposing(event)) return;
          if (event.key === "Enter" || event.key === "ArrowDown") {
            event.preventDefault();
            document.querySelector<HTMLElement>("[data-row]")?.focus();
          }
        }}
      />
      <Key of="list-search" />
    </label>
  );
}

function CaseTable({ project, rows }: { project: Project; rows: CaseLine[] }) {
  if (rows.length === 0) return <Empty title="No case matches">Clear the search, or choose another state.</Empty>;
  return (
    <table class="table" data-testid="worklist">
      <thead>
        <tr>
          <th>Case</th>
          <th>Patient</th>
          <th>Split</th>
          <th>State</th>
          <th class="number">Annotations</th>
          <th title="Dice (or probability of being right) the model is expected to reach">Expected quality</th>
          <th class="number" title="Mean entropy of the model's prediction">
            Uncertainty
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.id} project={project} row={row} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ project, row }: { project: Project; row: CaseLine }) {
  const look = (): void => go(linkTo.case(project.id, row.id));
  const several = readsSeveral(project);
  const open = row.open_with.filter((name) => !isSameName(name, annotatorName.value));
  return (
    <tr
      tabIndex={0}
      data-row
      data-testid={`case-${row.id}`}
      onClick={look}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.repeat) look();
        const sibling = event.key === "ArrowDown" ? "nextElementSibling" : event.key === "ArrowUp" ? "previousElementSibling" : null;
        if (!sibling) return;
        event.preventDefault();
        (event.currentTarget[sibling] as HTMLElement | null)?.focus();
      }}
    >
      <td class="strong">{row.name}</td>
      <td>{row.patient === row.name ? "" : row.patient}</td>
      <td>{row.split}</td>
      <td>
        <span class="marks">
          <span class={`state state-${row.state}`}>{WORDS[row.state]}</span>
          <ReadingChips row={row} several={several} />
          {several && row.annotations > 1 && (
            <a
              class="hint"
              href={linkTo.readings(project.id, row.id)}
              data-testid={`compare-${row.id}`}
              onClick={(event) => event.stopPropagation()}
              onKeyDown={(event) => event.stopPropagation()}
            >
              compare
            </a>
          )}
        </span>
        {open.length > 0 && (
          <span class="hint reason" data-testid={`open-${row.id}`}>
            open with <bdi>{open.join(", ")}</bdi>
          </span>
        )}
        {row.reason && (
          <span class="hint reason" data-testid={`reason-${row.id}`}>
            {row.reason}
            {row.reason_by && ` (${row.reason_by})`}
          </span>
        )}
      </td>
      <td class="number">{row.annotations}</td>
      <td>
        {row.quality === null ? (
          <span class="faint">–</span>
        ) : (
          <span class="quality">
            <Bar share={row.quality} tone={row.quality < 0.7 ? "tone-low" : ""} label={`Expected quality ${row.quality.toFixed(2)}`} />
            {row.quality.toFixed(2)}
          </span>
        )}
      </td>
      <td class="number">{row.entropy === null ? <span class="faint">–</span> : row.entropy.toFixed(3)}</td>
    </tr>
  );
}

function Pages({ total, offset, onOffset }: { total: number; offset: number; onOffset: (offset: number) => void }) {
  if (total === 0) return null;
  return (
    <div class="pages">
      <span>
        {offset + 1}–{Math.min(total, offset + PAGE)} of {total}
      </span>
      <button disabled={offset === 0} onClick={() => onOffset(Math.max(0, offset - PAGE))}>
        Previous
      </button>
      <button disabled={offset + PAGE >= total} onClick={() => onOffset(offset + PAGE)}>
        Next
      </button>
    </div>
  );
}
