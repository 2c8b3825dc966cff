/** The worklist: search, filter, sort, open, give to somebody; every row by keyboard, all of it in the address. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { casesFile } from "../api/calls";
import { may } from "../api/me";
import { annotatorName } from "../api/person";
import { watchProject } from "../api/stream";
import type { CaseState, Project, ReadingFilter } from "../api/types";
import { ACQUISITIONS, DOMAINS, type Filters, filtersOf, GIVEN, keepFilters, keptFilters, ofDomain, queryOf } from "../state/filters";
import { go, linkTo, parse, rename, route } from "../state/router";
import { WorkRows } from "../state/workrows";
import { isComposing } from "../tools/keynames";
import { pressIn } from "../tools/keytable";
import { LIST_KEYS, type ListScene } from "../tools/listkeys";
import { ButtonRow } from "./buttonrow";
import { CaseTable } from "./casetable";
import { Allowed, Key } from "./controls";
import { Header } from "./header";
import { Icon } from "./icons";
import { KeptEdits } from "./kept";
import { later } from "./later";
import { readsSeveral } from "./readingstate";
import { Warnings } from "./warnings";

const BulkBar = later(
  () => import("./bulk").then((part) => part.BulkBar),
  () => null,
);
const STATES: [CaseState, string][] = [
  ["all", "All"],
  ["unlabelled", "Unlabelled"],
  ["annotated", "Annotated"],
  ["skipped", "Skipped"],
  ["flagged", "Flagged"],
];

const READINGS: [ReadingFilter, string][] = [
  ["any", "all"],
  ["read", "read k of n"],
  ["in review", "in review"],
  ["returned", "returned"],
  ["accepted", "accepted"],
];

type Show = (changed: Partial<Filters>, how?: "push" | "replace") => void;

export function Worklist({ project, query }: { project: Project; query: string }) {
  const filters = useMemo(() => filtersOf(query), [query]);
  const person = annotatorName.value;
  const rows = useMemo(() => new WorkRows(project.id, filters), [project.id, filters, person]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    document.title = `${project.name} – medloop`;
    const kept = queryOf(keptFilters(project.id));
    if (!query && kept) showQuery(linkTo.worklist(project.id, kept), "replace");
  }, [project.id]);
  useEffect(() => {
    const watch = watchProject(project.id, () => rows.refresh());
    return () => {
      watch.close();
      rows.close();
    };
  }, [project.id, rows]);
  useEffect(() => setChosen(new Set()), [query]);
  useEffect(() => listen(project.id), [project.id]);
  const show: Show = (changed, how = "push") => {
    const next = { ...filters, ...changed };
    keepFilters(project.id, next);
    showQuery(linkTo.worklist(project.id, queryOf(next)), how);
  };
  useEffect(() => keepFilters(project.id, filters), [project.id, filters]);
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide">
        <Counts project={project} />
        <KeptEdits project={project} />
        <Warnings project={project} />
        <div class="filter-bar">
          <SearchBox search={filters.search} onSearch={(search) => show({ search }, "replace")} />
          <ButtonRow class="segments" label="Show">
            {STATES.map(([value, name]) => (
              <button key={value} aria-pressed={filters.state === value} data-testid={`filter-${value}`} onClick={() => show({ state: value })}>
                {name}
              </button>
            ))}
          </ButtonRow>
          {readsSeveral(project) && (
            <label class="hint">
              Readings{" "}
              <select value={filters.reading} data-testid="filter-reading" onChange={(event) => show({ reading: event.currentTarget.value as ReadingFilter })}>
                {READINGS.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          {(project.label_gaps.length > 0 || filters.lacks !== "") && (
            <label class="hint">
              Lacks{" "}
              <select value={filters.lacks} data-testid="filter-lacks" onChange={(event) => show({ lacks: event.currentTarget.value })}>
                <option value="">–</option>
                <option value="0">any label</option>
                {project.labels.map(({ value, name }) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          {project.kind === "segmentation" && (
            <label class="hint">
              Has{" "}
              <select value={filters.given} data-testid="filter-given" onChange={(event) => show({ given: event.currentTarget.value as Filters["given"] })}>
                {GIVEN.map((kind) => (
                  <option key={kind} value={kind}>
                    {kind.replace("_", " ") || "–"}
                  </option>
                ))}
              </select>
            </label>
          )}
          <label class="hint" title="Whether unlabelled cases are like those that the model in use was judged on">
            Domain{" "}
            <select value={filters.domain} data-testid="filter-domain" onChange={(event) => show(ofDomain(event.currentTarget.value as Filters["domain"]))}>
              {DOMAINS.map((kind) => (
                <option key={kind} value={kind}>
                  {kind}
                </option>
              ))}
            </select>
          </label>
          <label class="hint" title="What was found of images that were judged, in the panel Look or by medloop acquisition DIR">
            Acquisition{" "}
            <select
              value={filters.acquisition}
              data-testid="filter-acquisition"
              onChange={(event) => show({ acquisition: event.currentTarget.value as Filters["acquisition"] })}
            >
              {ACQUISITIONS.map((kind) => (
                <option key={kind} value={kind}>
                  {kind}
                </option>
              ))}
            </select>
          </label>
          <button
            aria-pressed={filters.assignee === person}
            data-testid="filter-mine"
            onClick={() => show({ assignee: filters.assignee === person ? "" : person })}
          >
            Assigned to me
          </button>
          <button aria-pressed={filters.by_round} data-testid="by-round" onClick={() => show({ by_round: !filters.by_round })}>
            By round
          </button>
          <span class="grow" />
          {project.archives && may("add", project.id) && (
            <a class="button" href={linkTo.archive(project.id)} data-testid="archive-link">
              Archive
            </a>
          )}
          <Allowed verb="annotate" project={project.id}>
            <a class="button" href={linkTo.acquisition(project.id)} data-testid="acquisition-link">
              Check an image
            </a>
          </Allowed>
          <a class="button" href={linkTo.map(project.id)} data-testid="map-link">
            Map
          </a>
          <a class="button" href={casesFile(project.id, filters)} download data-testid="cases-csv">
            CSV
          </a>
          {project.kind === "classification" && (
            <Allowed verb="annotate" project={project.id}>
              <a class="button" href={linkTo.grid(project.id, queryOf({ ...filters, state: "unlabelled" }))} data-testid="to-grid">
                Grid
              </a>
            </Allowed>
          )}
          <Allowed verb="annotate" project={project.id}>
            <a class="button primary" href={linkTo.next(project.id)} data-testid="start">
              Annotate next case <Key of="list-next" />
            </a>
          </Allowed>
        </div>
        {may("manage", project.id) && <BulkBar project={project} rows={rows} chosen={chosen} onChosen={setChosen} />}
        <CaseTable project={project} rows={rows} filters={filters} onFilters={show} chosen={chosen} onChosen={setChosen} />
      </main>
    </div>
  );
}

function showQuery(hash: string, how: "push" | "replace"): void {
  rename(hash, how);
  route.value = parse(hash);
}

/** What a control in focus does with a key goes first. */
function listen(project: string): () => void {
  const focusOn = (what: string): void => document.querySelector<HTMLElement>(what)?.focus();
  const scene: ListScene = {
    focusSearch: () => focusOn("[data-testid=search]"),
    focusRows: () => [...document.querySelectorAll<HTMLElement>("[data-row]")].find((row) => row.getBoundingClientRect().top >= 0)?.focus(),
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
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (field.current!.value !== search) field.current!.value = search; // the address was changed by something else
  }, [search]);
  return (
    <label class="search">
      <Icon name="search" />
      <input
        ref={field}
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
