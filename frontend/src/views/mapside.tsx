/** Beside the map: its legend, whose entries select cases, and the selected cases as a list, to open or to query. */
import { useState } from "preact/hooks";
import { queryThese } from "../api/calls";
import type { Chosen as ChosenQuery, PoolMap, Project } from "../api/types";
import type { Entry } from "../state/mapcolours";
import { tell, tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Allowed, Swatch } from "./controls";
import { wordsOf } from "./mapcanvas";

const LISTED = 200;

type Choose = (chosen: ReadonlySet<number>) => void;

export function Legend({ entries, onChosen }: { entries: readonly Entry[]; onChosen: Choose }) {
  return (
    <section class="panel" aria-label="Legend">
      <ul class="map-list">
        {entries.map(({ name, colour, points }) => (
          <li key={name}>
            <button class="small quiet" title="Select these cases" data-testid="map-legend" onClick={() => onChosen(new Set(points))}>
              <Swatch colour={colour} /> {name} <span class="faint">{points.length}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface ChosenProps {
  project: Project;
  map: PoolMap;
  chosen: ReadonlySet<number>;
  onChosen: Choose;
  onAt: (at: number) => void;
  onQueried: () => void;
}

export function Chosen({ project, map, chosen, onChosen, onAt, onQueried }: ChosenProps) {
  const numbers = [...chosen].sort((a, b) => (map.names[a]! < map.names[b]! ? -1 : 1));
  return (
    <section class="panel" aria-label="Selected cases" data-testid="map-chosen">
      <div class="row">
        <strong aria-live="polite" data-testid="map-count">
          {chosen.size} selected
        </strong>
        {chosen.size > 0 && (
          <button class="small" data-testid="map-clear" onClick={() => onChosen(new Set())}>
            Select none
          </button>
        )}
      </div>
      {chosen.size > 0 && (
        <>
          <Allowed verb="manage" project={project.id}>
            <QueryThese project={project} ids={numbers.map((n) => map.ids[n]!)} onQueried={onQueried} />
          </Allowed>
          <ul class="map-list map-cases">
            {numbers.slice(0, LISTED).map((n) => (
              <li key={map.ids[n]}>
                <a
                  href={linkTo.case(project.id, map.ids[n]!)}
                  data-testid={`map-case-${map.ids[n]}`}
                  onFocus={() => onAt(n)}
                  onMouseEnter={() => onAt(n)}
                  onMouseLeave={() => onAt(-1)}
                >
                  {wordsOf(map, n)}
                </a>
              </li>
            ))}
          </ul>
          {numbers.length > LISTED && <p class="hint">and {numbers.length - LISTED} more</p>}
        </>
      )}
    </section>
  );
}

function QueryThese({ project, ids, onQueried }: { project: Project; ids: string[]; onQueried: () => void }) {
  const [most, setMost] = useState("");
  const [busy, setBusy] = useState(false);
  const count = most === "" ? null : Math.max(1, Math.round(Number(most)));
  const send = (): void => {
    setBusy(true);
    queryThese(project.id, ids, count)
      .then((made) => {
        tell(made.left.length > 0 ? "warning" : "info", `Round ${made.round}: ${counted(made.case_ids.length)} queried`, leftWords(made));
        onQueried();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <span class="row">
      <button class="primary small" disabled={busy} data-verb="manage" data-testid="map-query" onClick={send}>
        Query {count === null ? "these" : `${count} of these`}
      </button>
      <label class="hint">
        at most{" "}
        <input
          type="number"
          class="number"
          min="1"
          max="1000"
          placeholder="all"
          value={most}
          title="So many of them, chosen by the project's strategy"
          data-testid="map-most"
          onInput={(event) => setMost(event.currentTarget.value)}
        />
      </label>
    </span>
  );
}

const counted = (cases: number): string => `${cases} case${cases === 1 ? "" : "s"}`;

/** Why some were not queried, reason by reason. */
export function leftWords({ left }: Pick<ChosenQuery, "left">): string {
  const by = new Map<string, string[]>();
  for (const { case: name, why } of left) by.set(why, [...(by.get(why) ?? []), name]);
  return [...by].map(([why, names]) => `not ${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}: ${why}`).join("; ");
}
