/** Classes for many pictures at once: go to one or select several, press the key of their class. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import { may } from "../api/me";
import { annotatorName } from "../api/person";
import type { CaseLine, Label, Project } from "../api/types";
import { filtersOf } from "../state/filters";
import { Grid } from "../state/grid";
import { go, linkTo } from "../state/router";
import { isComposing } from "../tools/keynames";
import { pressIn } from "../tools/keytable";
import { GRID_KEYS, type GridScene } from "../tools/listkeys";
import { ButtonRow } from "./buttonrow";
import { Allowed, Empty, Key, Swatch } from "./controls";
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
    const onGone = (): void => grid.releaseAll();
    document.addEventListener("visibilitychange", onHide);
    window.addEventListener("pagehide", onGone);
    return () => {
      document.removeEventListener("visibilitychange", onHide);
      window.removeEventListener("pagehide", onGone);
      grid.releaseAll();
    };
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
            <ButtonRow class="row" label="Class the selected pictures, else the current one">
              {project.labels.map((label, n) => (
                <button key={label.value} data-testid={`give-${label.value}`} onClick={() => void grid.give(label.value)}>
                  <Swatch colour={label.colour} /> {label.name} {n < 9 && <kbd>{n + 1}</kbd>}
                </button>
              ))}
              <button data-testid="grid-undo" onClick={() => void grid.undo()}>
                Undo <Key of="grid-undo" />
              </button>
            </ButtonRow>
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
      const { target } = event;
      const inField = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
      const presses = target instanceof HTMLElement && target.matches("a, button:not([data-tile])") && ["Enter", " "].includes(event.key);
      if (inField || presses || isComposing(event) || document.querySelector("dialog[open]")) return;
      if (pressIn(event, GRID_KEYS, sceneOf(grid, project, query, columnsOf(tiles.current)))) event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [grid, project, query]);
}

function sceneOf(grid: Grid, project: Project, query: string, columns: number): GridScene {
  return {
    move: (by, rows, extend) => grid.goTo(grid.at.value + by * (rows ? columns : 1), extend),
    select: () => grid.toggle(),
    give: may("annotate", project.id) ? (at) => project.labels[at] && void grid.give(project.labels[at].value) : null,
    undo: () => void grid.undo(),
    open: () => grid.current && go(linkTo.case(project.id, grid.current.id)),
    leave: () => {
      if (grid.chosen.value.size > 0) grid.chosen.value = new Set();
      else go(linkTo.worklist(project.id, query));
    },
    classes: project.labels.map(({ name }) => name),
  };
}
