/** What the work took, by person, round, case or annotation, as the server adds it up; the same as a file for a spreadsheet. */
import { useEffect, useState } from "preact/hooks";
import { effortFile, readEffort } from "../api/calls";
import { may } from "../api/me";
import type { Grouping, WorkLine } from "../api/types";
import { tellError } from "../state/notices";
import { money } from "./format";

const GROUPINGS: readonly Grouping[] = ["person", "round", "case", "annotation", "proposal"];
const SHOWN = 200;

const counted = (value: number | null): string => (value === null ? "–" : String(value));
const minutesOf = (value: number | null): string => (value === null ? "–" : value.toFixed(1));
const shareOf = (value: number | null): string => (value === null ? "–" : value.toFixed(2));

/** For who manages the project's people: everybody's time and money is nobody else's. */
export function WorkTable({ project, version }: { project: string; version: string }) {
  const [by, setBy] = useState<Grouping>("round");
  const [lines, setLines] = useState<WorkLine[]>([]);
  const allowed = may("manage", project);
  useEffect(() => {
    let stale = false;
    if (allowed)
      readEffort(project, by)
        .then((found) => !stale && setLines(found))
        .catch(tellError);
    return () => {
      stale = true;
    };
  }, [project, by, version, allowed]);
  if (!allowed || lines.length === 0) return null;
  const names = (["proposal", "round", "annotator", "case"] as const).filter((name) => lines.some((line) => line[name] !== ""));
  return (
    <section class="panel panel-all" data-testid="work">
      <h2>Work</h2>
      <div class="row">
        <select aria-label="Added up by" value={by} data-testid="work-by" onChange={(event) => setBy(event.currentTarget.value as Grouping)}>
          {GROUPINGS.map((grouping) => (
            <option key={grouping} value={grouping}>
              by {grouping === "proposal" ? "what was seen of the proposal at the first stroke" : grouping}
            </option>
          ))}
        </select>
        <a class="button" href={effortFile(project, by)} download data-testid="work-csv">
          CSV
        </a>
      </div>
      <table class="table table-small">
        <thead>
          <tr>
            {names.map((name) => (
              <th key={name}>{name === "annotator" ? "Who" : name[0]!.toUpperCase() + name.slice(1)}</th>
            ))}
            {["Annotations", "Minutes", "Idle", "Strokes", "Prompts", "Slices", "Undone", "Cost", "Agreement", "Skill"].map((head) => (
              <th key={head} class="number">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, SHOWN).map((line) => (
            <tr key={`${line.proposal} ${line.round} ${line.annotator} ${line.case} ${line.opened_at}`} title={line.note}>
              {names.map((name) => (
                <td key={name}>{line[name]}</td>
              ))}
              <td class="number">{line.annotations}</td>
              <td class="number">{minutesOf(line.minutes)}</td>
              <td class="number">{minutesOf(line.idle_minutes)}</td>
              <td class="number">{counted(line.strokes)}</td>
              <td class="number">{counted(line.prompts)}</td>
              <td class="number">{counted(line.slices_viewed)}</td>
              <td class="number">{counted(line.undos)}</td>
              <td class="number">{money(line.cost)}</td>
              <td class="number">{shareOf(line.agreement)}</td>
              <td class="number">{shareOf(line.skill)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        {lines.length > SHOWN && `The first ${SHOWN} of ${lines.length} lines; the file has all. `}
        Active minutes, also of work that was undone, skipped or never submitted; each costs what a minute cost at its time. – is unknown.
      </p>
    </section>
  );
}
