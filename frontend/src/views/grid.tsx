/** Classes for many pictures at once: go to one or select several, press the key of their class. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import { may } from "../api/me";
import { annotatorName } from "../api/person";
import type { CaseLine, Label, Project } from "../api/types";
import { filtersOf } from "../state/filters";
import { Grid } from "../state/grid";
import { go, linkTo } from "../state/router";
import { isComposing, keyOf } from "../tools/keynames";
import { Allowed, Empty, Swatch } from "./controls";
import { Header } from "./header";
import { Picture } from "./picture";
import { Warnings } from "./warnings";

export function GridView({ project, query }: { project: Project; query: string }) {
  const person = annotatorName.value;
  const grid = useMemo(() => new Grid(project, filtersOf(query)), [project.id, query, person]);
  const tiles = useRef<HTMLDivElement>(null);
  useGridKeys(grid, project, query, tiles);
  useEffect(() => {
    document.title = `Grid – ${project.name}`;
    void grid.more();
    const onHide = (): void => (document.hidden ? grid.leave() : grid.beat());
    document.addEventListener("visibilitychange", onHide);
    return () => document.removeEventListener("visibilitychange", onHide);
  }, [grid]);
  const [lines, at, chosen, given] = [grid.lines.value, grid.at.value, grid.chosen.value, grid.given.value];
  const allowed = may("annotate", project.id);
  useEffect(() => {
    if (allowed) grid.openLooked();
    tiles.current?.querySelector<HTMLElement>(`[data-tile="${at}"]`)?.focus();
  }, [grid, at, chosen, lines.length > 0]);
  const left = [...given.values()].filter(({ sent }) => sent).length;
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide" data-testid="grid">
        <Warnings project={project} />
        <div class="filter-bar">
          <a class="button" href={linkTo.worklist(project.id, query)} data-testid="to-list">
            List
          </a>
          <Allowed verb="annotate" project={project.id}>
            {project.labels.map((label, n) => (
              <button key={label.value} data-testid={`give-${label.value}`} onClick={() => void grid.give(label.value)}>
                <Swatch colour={label.colour} /> {label.name} {n < 9 && <kbd>{n + 1}</kbd>}
              </button>
            ))}
            <button data-testid="grid-undo" onClick={() => void grid.undo()}>
              Undo <kbd>Ctrl+Z</kbd>
            </button>
          </Allowed>
          <span class="grow" />
          <span class="hint" data-testid="grid-state" aria-live="polite">
            {chosen.size > 0 && `${chosen.size} selected · `}
            {left} of {grid.total.value ?? "…"} classed
          </span>
        </div>
        {grid.total.value === 0 && <Empty title="No case matches">Every case of this list has its class; the list shows the others.</Empty>}
        <div ref={tiles} class="tiles" role="listbox" aria-multiselectable="true" aria-label="Pictures" tabIndex={-1}>
          {lines.map((line, index) => (
            <Tile key={line.id} grid={grid} line={line} index={index} labels={project.labels} />
          ))}
        </div>
      </main>
    </div>
  );
}

function Tile({ grid, line, index, labels }: { grid: Grid; line: CaseLine; index: number; labels: readonly Label[] }) {
  const given = grid.given.value.get(line.id);
  const label = labels.find(({ value }) => value === given?.tag);
  return (
    <button
      class="tile"
      role="option"
      aria-selected={grid.chosen.value.has(line.id)}
      tabIndex={index === grid.at.value ? 0 : -1}
      data-tile={index}
      data-testid={`tile-${line.id}`}
      onClick={(event) => {
        grid.goTo(index, event.shiftKey);
        if (event.ctrlKey || event.metaKey) grid.toggle();
      }}
      onDblClick={() => go(linkTo.case(grid.project.id, line.id))}
    >
      <Picture project={grid.project.id} line={line} size={288} />
      <span class="tile-words">
        {label && <Swatch colour={label.colour} />}
        <span class="grow reason" title={line.name}>
          {line.name}
        </span>
        {label ? (
          <strong data-testid={`class-of-${line.id}`}>
            {label.name}
            {!given?.sent && " …"}
          </strong>
        ) : (
          line.state !== "unlabelled" && <span class={`state state-${line.state}`}>{line.state}</span>
        )}
      </span>
    </button>
  );
}

/** How many pictures stand side by side. */
const columnsOf = (tiles: HTMLElement | null): number => (tiles ? getComputedStyle(tiles).gridTemplateColumns.split(" ").length : 1);

function useGridKeys(grid: Grid, project: Project, query: string, tiles: { current: HTMLElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (inField || event.altKey || isComposing(event) || document.querySelector("dialog[open]")) return;
      if (pressGrid(event, grid, project, query, columnsOf(tiles.current))) event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [grid, project, query]);
}

function pressGrid(event: KeyboardEvent, grid: Grid, project: Project, query: string, columns: number): boolean {
  const key = keyOf(event);
  const steps: Record<string, number> = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1, ArrowDown: columns, ArrowUp: -columns };
  const changes = may("annotate", project.id) && !event.repeat;
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" || !changes) return false;
    void grid.undo();
    return true;
  }
  const label = project.labels[Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] ?? 0) - 1];
  if (steps[key]) grid.goTo(grid.at.value + steps[key], event.shiftKey);
  else if (label && changes) void grid.give(label.value);
  else if (key === "x") grid.toggle();
  else if (key === "Backspace" && changes) void grid.undo();
  else if (key === "Enter" && grid.current && (event.target as HTMLElement).matches("[data-tile]")) go(linkTo.case(project.id, grid.current.id));
  else if (key === "Escape" && grid.chosen.value.size > 0) grid.chosen.value = new Set();
  else if (key === "Escape") go(linkTo.worklist(project.id, query));
  else return false;
  return true;
}
