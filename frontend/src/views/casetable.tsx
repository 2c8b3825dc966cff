/** The rows of the worklist: only those on the screen are drawn, however many there are. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { may } from "../api/me";
import { annotatorName, isSameName } from "../api/person";
import type { CaseLine, Project } from "../api/types";
import { type Filters, type Sort, sortedBy } from "../state/filters";
import { go, linkTo } from "../state/router";
import { inView, type WorkRows } from "../state/workrows";
import { isComposing } from "../tools/keynames";
import { pressIn } from "../tools/keytable";
import { ROW_KEYS, type RowScene } from "../tools/listkeys";
import { Bar, Empty } from "./controls";
import { clock } from "./format";
import { Picture } from "./picture";
import { ReadingChips, readsSeveral } from "./readingstate";

/** Height of every line, as the style sheet has it. */
const LINE = 52;
const MORE = 12;

type Choose = (chosen: ReadonlySet<string>) => void;

interface TableProps {
  project: Project;
  rows: WorkRows;
  filters: Filters;
  onFilters: (changed: Partial<Filters>) => void;
  chosen: ReadonlySet<string>;
  onChosen: Choose;
}

const COLUMNS: [Sort | null, string, string, string?][] = [
  ["name", "Case", "named"],
  ["patient", "Patient", "patient"],
  ["split", "Split", ""],
  ["state", "State", "wide"],
  ["assignee", "Assignee", ""],
  ["updated", "Updated", ""],
  ["round", "Round", "number"],
  ["annotations", "Annotations", "number"],
  ["quality", "Expected quality", "", "Dice (or probability of being right) the model is expected to reach"],
  ["uncertainty", "Uncertainty", "number", "Mean entropy of the model's prediction"],
];

export function CaseTable({ project, rows, filters, onFilters, chosen, onChosen }: TableProps) {
  const box = useRef<HTMLDivElement>(null);
  const [[first, last], setSeen] = useState<[number, number]>([0, 30]);
  const slots = rows.slots.value;
  rows.version.value;
  const look = (): void => {
    const top = box.current ? -box.current.getBoundingClientRect().top : 0;
    setSeen((before) => {
      const found = inView(top, window.innerHeight, LINE, slots.count || MORE, MORE);
      return found[0] === before[0] && found[1] === before[1] ? before : found;
    });
  };
  useLayoutEffect(() => {
    look();
    window.addEventListener("scroll", look, { passive: true, capture: true });
    window.addEventListener("resize", look);
    return () => {
      window.removeEventListener("scroll", look, { capture: true });
      window.removeEventListener("resize", look);
    };
  }, [rows, slots]);
  const visible = Array.from({ length: Math.max(0, Math.min(last, slots.count) - first) }, (_, n) => slots.at(first + n));
  const wanted = visible.flatMap((slot) => ("row" in slot ? [slot.row] : []));
  useLayoutEffect(() => rows.show(wanted[0] ?? 0, wanted.at(-1) ?? 0), [rows, wanted[0], wanted.at(-1)]);
  const selects = may("manage", project.id);
  if (rows.total.value === 0) return <Empty title="No case matches">Clear the search, or choose another state.</Empty>;
  return (
    <div ref={box}>
      <div class="work-rows" style={{ paddingTop: `${first * LINE}px`, paddingBottom: `${Math.max(0, slots.count - Math.max(first, last)) * LINE}px` }}>
        <table class="table work-table" data-testid="worklist" aria-rowcount={rows.total.value ?? -1}>
          <thead>
            <tr>
              {selects && <th class="narrow" aria-label="Selected" />}
              <th class="picture-cell" aria-label="Picture" />
              {COLUMNS.map(([sort, name, look, title]) => (
                <th key={name} class={look} title={title} aria-sort={sort === filters.sort ? (filters.descending ? "descending" : "ascending") : undefined}>
                  <button class="quiet head" data-testid={`sort-${sort}`} onClick={() => sort && onFilters(sortedBy(filters, sort))}>
                    {name}
                    {sort === filters.sort && (filters.descending ? " ↓" : " ↑")}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {visible.map((slot) =>
              "row" in slot ? (
                <Row key={rows.row(slot.row)?.id ?? slot.row} {...{ project, rows, chosen, onChosen }} index={slot.row} line={rows.row(slot.row)} />
              ) : (
                <tr key={`round-${slot.round}`} class="work-head">
                  <th colSpan={COLUMNS.length + 1 + Number(selects)} scope="rowgroup" data-testid={`round-${slot.round ?? "none"}`}>
                    {slot.round === null ? "Outside rounds" : `Round ${slot.round}`} <span class="faint">{slot.cases}</span>
                  </th>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
      <p class="pages" data-testid="list-length">
        {rows.total.value ?? "…"} case{rows.total.value === 1 ? "" : "s"}
      </p>
    </div>
  );
}

interface RowProps {
  project: Project;
  rows: WorkRows;
  index: number;
  line: CaseLine | undefined;
  chosen: ReadonlySet<string>;
  onChosen: Choose;
}

/** Where a range of selected rows begins. */
let anchor = 0;

function Row({ project, rows, index, line, chosen, onChosen }: RowProps) {
  if (!line) {
    return (
      <tr class="work-line">
        <td colSpan={COLUMNS.length + 2} class="faint">
          …
        </td>
      </tr>
    );
  }
  const selects = may("manage", project.id);
  const look = (): void => go(linkTo.case(project.id, line.id));
  const select = (range: boolean): void => {
    const next = new Set(chosen);
    if (range) for (const { id } of rows.known(anchor, index)) next.add(id);
    else if (!next.delete(line.id)) next.add(line.id);
    anchor = index;
    onChosen(next);
  };
  const step = (by: 1 | -1): void => document.querySelector<HTMLElement>(`[data-row="${index + by}"]`)?.focus();
  const scene: RowScene = { open: look, step, select: selects ? select : null, clear: () => onChosen(new Set()) };
  return (
    <tr
      tabIndex={0}
      class="work-line"
      data-row={index}
      aria-rowindex={index + 1}
      aria-selected={selects ? chosen.has(line.id) : undefined}
      data-testid={`case-${line.id}`}
      onClick={look}
      onKeyDown={(event) => {
        if (!isComposing(event) && pressIn(event, ROW_KEYS, scene)) event.preventDefault();
      }}
    >
      {selects && (
        <td class="narrow" onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()}>
          <input
            type="checkbox"
            checked={chosen.has(line.id)}
            aria-label={`Select ${line.name}`}
            data-verb="manage"
            data-testid={`select-${line.id}`}
            onClick={(event) => select(event.shiftKey)}
          />
        </td>
      )}
      <td class="picture-cell">
        <Picture project={project.id} line={line} size={96} />
      </td>
      <td class="strong" title={line.name}>
        {line.name}
      </td>
      <td title={line.patient}>{line.patient === line.name ? "" : line.patient}</td>
      <td>{line.split}</td>
      <td class="wide">
        <States project={project} line={line} />
      </td>
      <td title={line.assignees.join(", ")}>
        <bdi>{line.assignees.join(", ")}</bdi>
      </td>
      <td>{line.updated === null ? "" : clock(line.updated)}</td>
      <td class="number">{line.round}</td>
      <td class="number">{line.annotations}</td>
      <td>
        {line.quality === null ? (
          <span class="faint">–</span>
        ) : (
          <span class="quality">
            <Bar share={line.quality} tone={line.quality < 0.7 ? "tone-low" : ""} label={`Expected quality ${line.quality.toFixed(2)}`} />
            {line.quality.toFixed(2)}
          </span>
        )}
      </td>
      <td class="number">{line.entropy === null ? <span class="faint">–</span> : line.entropy.toFixed(3)}</td>
    </tr>
  );
}

/** How far a case is, who has it open, and why it was left out, as chips. */
function States({ project, line }: { project: Project; line: CaseLine }) {
  const several = readsSeveral(project);
  const open = line.open_with.filter((name) => !isSameName(name, annotatorName.value));
  const why = line.reason && `${line.reason}${line.reason_by ? ` (${line.reason_by})` : ""}`;
  return (
    <span class="marks">
      <span class={`state state-${line.state}`}>{line.state}</span>
      <ReadingChips row={line} several={several} />
      {line.lacking.length > 0 && (
        <span class="state" title="Labels that are not annotated in this case" data-testid={`lacking-${line.id}`}>
          lacks {line.lacking.join(", ")}
        </span>
      )}
      {line.given.length > 0 && (
        <span class="state" title="What this case has that is less than a whole annotation" data-testid={`given-${line.id}`}>
          {line.given.join(", ").replaceAll("_", " ")}
        </span>
      )}
      {line.domain_p !== null && (
        <span
          class={line.outside ? "state state-failed" : "state"}
          title="Chance that a case like those the model was judged on lies as far from what it learned"
          data-testid={`domain-${line.id}`}
        >
          {line.outside ? "unlike" : "like"} the judged cases, p {line.domain_p.toFixed(2)}
        </span>
      )}
      {line.acquisition && (
        <span
          class={line.acquisition === "acquire again" ? "state state-failed" : "state"}
          title={line.acquisition_why || "Judged by the project's own images and its model"}
          data-testid={`acquisition-${line.id}`}
        >
          {line.acquisition === "acquire again" ? "acquire again" : `acquisition: ${line.acquisition}`}
        </span>
      )}
      {why && (
        <span class="state reason" title={why} data-testid={`reason-${line.id}`}>
          {why}
        </span>
      )}
      {several && line.annotations > 1 && (
        <a
          class="hint"
          href={linkTo.readings(project.id, line.id)}
          data-testid={`compare-${line.id}`}
          onClick={(event) => event.stopPropagation()}
          onKeyDown={(event) => event.stopPropagation()}
        >
          compare
        </a>
      )}
      {open.length > 0 && (
        <span class="state reason" title={`open with ${open.join(", ")}`} data-testid={`open-${line.id}`}>
          open with <bdi>{open.join(", ")}</bdi>
        </span>
      )}
    </span>
  );
}
