/** The gold cases of a project and what people make of them; who leads takes one out of use, and lets people begin. */
import { useEffect, useState } from "preact/hooks";
import * as calls from "../api/calls";
import type { GoldStanding } from "../api/types";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Allowed } from "./controls";

/** `version` changes with the work of others. */
export function GoldPanel({ project, version }: { project: string; version: unknown }) {
  const [found, setFound] = useState<GoldStanding | null>(null);
  const show = (work: Promise<GoldStanding>): void => void work.then(setFound).catch(tellError);
  useEffect(() => show(calls.readGold(project)), [project, version]);
  if (found === null || found.cases.length + found.warnings.length === 0) return null;
  const { cases, people, warnings } = found;
  return (
    <section class="panel panel-all" data-testid="gold">
      <h2>Gold cases</h2>
      {warnings.map((one) => (
        <p key={one} class="note">
          {one}
        </p>
      ))}
      <ul class="suspects" data-testid="gold-cases">
        {cases.map(({ case: name, case_id: id, by, in_use, readings, mean, note }) => (
          <li key={id} class="row">
            <a href={linkTo.readings(project, id)}>{name}</a>
            <span class="grow hint">
              made gold by <bdi>{by}</bdi>, read by {readings}
              {mean !== null && `, mean score ${mean.toFixed(2)}`}
              {!in_use && ", not in use"}
              {note && `: ${note}`}
            </span>
            <Allowed verb="manage" project={project}>
              <button class="small" aria-label={`Withdraw ${name}`} onClick={() => show(calls.withdrawGold(project, id))}>
                Withdraw
              </button>
            </Allowed>
          </li>
        ))}
      </ul>
      <table class="table table-small" data-testid="gold-people">
        <thead>
          <tr>
            <th>Who</th>
            <th>Score</th>
            <th class="number">Read</th>
            <th class="number">Not seen</th>
            <th>Tutorial</th>
          </tr>
        </thead>
        <tbody>
          {people.map((one) => (
            <tr key={one.annotator} data-name={one.annotator}>
              <td class="strong">
                <bdi>{one.annotator}</bdi>
              </td>
              <td>{scoreOf(one)}</td>
              <td class="number">{one.readings}</td>
              <td class="number">{one.left}</td>
              <td>
                {one.tutorial || "–"}{" "}
                {one.waits && (
                  <Allowed verb="manage" project={project}>
                    <button class="small" aria-label={`Let ${one.annotator} begin`} onClick={() => show(calls.admit(project, one.annotator))}>
                      Let them begin
                    </button>
                  </Allowed>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function scoreOf({ score }: GoldStanding["people"][number]): string {
  if (score === null) return "–";
  const { mean, low, high } = score;
  return `${mean.toFixed(2)}${low !== null && high !== null ? ` (${low.toFixed(2)}–${high.toFixed(2)})` : ""}`;
}
