/** What is done with several cases at once: giving them to somebody, or taking them back. */
import { useEffect, useState } from "preact/hooks";
import { assignCases, listAnnotatorsHere } from "../api/calls";
import { may } from "../api/me";
import type { Assigned, Project } from "../api/types";
import { tell, tellError } from "../state/notices";
import type { WorkRows } from "../state/workrows";
import { Allowed, Key } from "./controls";
import { PushMenu } from "./pushing";

/** What one request may hold. */
const AT_ONCE = 1000;

interface BulkProps {
  project: Project;
  rows: WorkRows;
  chosen: ReadonlySet<string>;
  onChosen: (chosen: ReadonlySet<string>) => void;
}

export function BulkBar({ project, rows, chosen, onChosen }: BulkProps) {
  const [people, setPeople] = useState<string[]>([]);
  const [who, setWho] = useState("");
  const [busy, setBusy] = useState(false);
  const some = chosen.size > 0;
  useEffect(() => {
    if (some) listAnnotatorsHere(project.id).then(setPeople).catch(tellError);
  }, [project.id, some]);
  const give = (to: string | null): void => {
    setBusy(true);
    assignAll(project.id, [...chosen], to)
      .then(({ cases, left }) => {
        tell(left.length > 0 ? "warning" : "info", to === null ? `${counted(cases)} taken back` : `${counted(cases)} assigned to ${to}`, leftWords(left));
        onChosen(new Set());
        rows.refresh();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  const everything = (): void => {
    rows
      .ids()
      .then((ids) => onChosen(new Set(ids)))
      .catch(tellError);
  };
  if (!some)
    return (
      <p class="hint bulk">
        Select cases by their boxes or <Key of="row-select" /> to assign them.
      </p>
    );
  return (
    <Allowed verb="manage" project={project.id}>
      <div class="bulk" role="group" aria-label="Selected cases" data-testid="bulk">
        <strong data-testid="bulk-count">{chosen.size} selected</strong>
        <button class="small" data-testid="select-all" disabled={busy} onClick={everything}>
          Select all {rows.total.value}
        </button>
        <select value={who} aria-label="Assign to" data-testid="bulk-who" onChange={(event) => setWho(event.currentTarget.value)}>
          <option value="">Assign to …</option>
          {people.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <button class="small primary" disabled={busy || who === ""} data-testid="bulk-assign" onClick={() => give(who)}>
          Assign
        </button>
        <button class="small" disabled={busy} data-testid="bulk-unassign" onClick={() => give(null)}>
          Take back
        </button>
        {project.archives && may("export", project.id) && <PushMenu project={project} chosen={chosen} />}
        <button class="small quiet" onClick={() => onChosen(new Set())}>
          Clear <Key of="row-clear" />
        </button>
      </div>
    </Allowed>
  );
}

async function assignAll(project: string, ids: string[], to: string | null): Promise<Assigned> {
  const sum: Assigned = { cases: 0, left: [] };
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const { cases, left } = await assignCases(project, ids.slice(start, start + AT_ONCE), to);
    sum.cases += cases;
    sum.left.push(...left);
  }
  return sum;
}

const counted = (cases: number): string => `${cases} case${cases === 1 ? "" : "s"}`;

/** Why some were not given: the first few by name. */
export function leftWords(left: Assigned["left"]): string {
  const named = left.slice(0, 3).map(({ case: name, why }) => `${name}: ${why}`);
  return [...named, ...(left.length > 3 ? [`and ${left.length - 3} more`] : [])].join("; ");
}
