/** What each model scores on each group of patients, what was forgotten, and images that are not to be kept any longer. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { fillMatrix, readMatrix, readRetention, removeDueImages } from "../api/calls";
import type { Figure, ModelMatrix, Retention } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Allowed } from "./controls";

interface Props {
  project: string;
  /** Changes when models or evaluations did. */
  version: string;
  onChange: () => void;
}

export function ContinualPanels(props: Props) {
  return (
    <>
      <MatrixPanel {...props} />
      <RetentionPanel {...props} />
    </>
  );
}

const figure = (one: Figure | null, sign = false): string => {
  if (one === null || one.mean === null) return "–";
  const number = (value: number): string => `${sign && value > 0 ? "+" : ""}${value.toFixed(3)}`;
  const mean = number(one.mean);
  if (one.low === null || one.high === null) return one.note ? `${mean} (${one.note})` : mean;
  return `${mean} (${number(one.low)} to ${number(one.high)}, n=${one.groups})`;
};

function MatrixPanel({ project, version, onChange }: Props) {
  const [by, setBy] = useState("");
  const [found, setFound] = useState<ModelMatrix | null>(null);
  useEffect(() => {
    readMatrix(project, by).then(setFound).catch(tellError);
  }, [project, by, version]);
  if (!found || found.rows.length < 2) return null;
  const fill = (): void => {
    fillMatrix(project)
      .then(() => tell("info", "Every model is held against the annotations of today; the worker does it"))
      .then(onChange)
      .catch(tellError);
  };
  return (
    <section class="panel panel-all" data-testid="matrix">
      <h2>Models by group</h2>
      <p>
        <label>
          Group by{" "}
          <select value={found.by} data-testid="matrix-by" onChange={(event) => setBy(event.currentTarget.value)}>
            {found.offered.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>{" "}
        {found.rows.some(({ outdated }) => outdated) && (
          <Allowed verb="train" project={project}>
            <button data-testid="matrix-fill" onClick={fill}>
              Evaluate every model anew
            </button>
          </Allowed>
        )}
      </p>
      {found.notes.map((note) => (
        <p class="hint" key={note}>
          {note}
        </p>
      ))}
      <table class="table table-small">
        <thead>
          <tr>
            <th>Model</th>
            {found.groups.map((name) => (
              <th key={name}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.rows.map((row) => (
            <tr key={row.model}>
              <td class="strong">
                {row.model}
                {row.live && " (in use)"}
              </td>
              {row.cells.map((cell, n) => (
                <td key={found.groups[n]}>{figure(cell)}</td>
              ))}
            </tr>
          ))}
          <Transfer title="Since it was learned (backward transfer)" found={found} of="backward" />
          <Transfer title="Forgotten, against the best model" found={found} of="forgetting" />
          <Transfer title="Before it was learned (forward transfer)" found={found} of="forward" />
        </tbody>
      </table>
    </section>
  );
}

function Transfer({ title, found, of }: { title: string; found: ModelMatrix; of: "backward" | "forgetting" | "forward" }) {
  return (
    <tr>
      <td>{title}</td>
      {found.transfers.map((one, n) => (
        <td key={found.groups[n]} title={one.note}>
          {figure(one[of], true)}
        </td>
      ))}
    </tr>
  );
}

function RetentionPanel({ project, version, onChange }: Props) {
  const [found, setFound] = useState<Retention | null>(null);
  const [sure, setSure] = useState(false);
  const refresh = useCallback(() => {
    readRetention(project).then(setFound).catch(tellError);
  }, [project]);
  useEffect(refresh, [refresh, version]);
  if (!found || (found.days === 0 && found.removed.length === 0)) return null;
  const remove = (): void => {
    setSure(false);
    removeDueImages(project)
      .then(({ removed, freed, waiting }) => {
        const open = waiting.length ? `; ${waiting.length} stay while somebody has the case open` : "";
        tell("info", `${removed.length} images removed, ${(freed / 1e6).toFixed(1)} MB freed${open}`);
        refresh();
        onChange();
      })
      .catch(tellError);
  };
  return (
    <section class="panel panel-all" data-testid="retention">
      <h2>Images that are not to be kept</h2>
      <p>
        {found.days ? `Images are kept ${found.days} days; ${found.due.length} due now` : "Images are kept for ever now"}
        {found.next_due && `, the next on ${found.next_due.slice(0, 10)}`}
        {found.by_worker ? "; workers remove them." : "."} {found.removed.length} removed so far: their annotations stay.
      </p>
      {found.due.length > 0 && (
        <Allowed verb="decide" project={project}>
          {sure ? (
            <button class="primary" data-testid="retention-sure" onClick={remove}>
              Delete {found.due.length} images; this cannot be undone
            </button>
          ) : (
            <button data-testid="retention-remove" onClick={() => setSure(true)}>
              Remove what is due…
            </button>
          )}
        </Allowed>
      )}
      <ul>
        {found.due.slice(0, 20).map((one) => (
          <li key={one.case_id}>
            {one.name}, due since {one.due_at.slice(0, 10)}
            {one.open_with.length > 0 && `, stays while ${one.open_with.join(", ")} has it open`}
          </li>
        ))}
        {found.removed.slice(0, 20).map((one) => (
          <li key={one.case_id}>
            {one.name}: {one.note}
          </li>
        ))}
      </ul>
    </section>
  );
}
