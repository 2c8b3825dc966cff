/** What a minute of each annotator costs, and what they cost so far. */
import { useEffect, useState } from "preact/hooks";
import { readAnnotators, setRate } from "../api/calls";
import { hasAccounts } from "../api/me";
import type { EffortLine } from "../api/types";
import { numberOf } from "../state/configuring";
import { tell, tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Save } from "./controls";

export function Rates({ project }: { project: string }) {
  const [people, setPeople] = useState<EffortLine[]>([]);
  const [typed, setTyped] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => void readAnnotators(project).then(setPeople).catch(tellError), [project]);
  if (people.length === 0) return null;
  const elsewhere = hasAccounts();
  const changed = people.filter(({ annotator, cost_per_minute: rate }) => numberOf(typed.get(annotator) ?? String(rate)) !== rate);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    for (const { annotator, cost_per_minute: before } of changed) {
      const rate = numberOf(typed.get(annotator)!);
      setPeople(await setRate(project, annotator, rate));
      tell("info", `${annotator}: ${before} → ${rate} per minute`);
    }
  };
  return (
    <form class="panel" onSubmit={(event) => void save(event).catch(tellError)}>
      <h2>Annotators</h2>
      <table class="table table-small" data-testid="annotators">
        <thead>
          <tr>
            <th>Who</th>
            <th class="number">Annotations</th>
            <th class="number">Minutes</th>
            <th class="number">Cost per minute</th>
            <th class="number">Cost</th>
          </tr>
        </thead>
        <tbody>
          {people.map(({ annotator, annotations, minutes, cost_per_minute: rate, cost }) => (
            <tr key={annotator}>
              <td class="strong">{annotator}</td>
              <td class="number">{annotations}</td>
              <td class="number">{minutes.toFixed(1)}</td>
              <td class="number">
                {elsewhere ? (
                  rate
                ) : (
                  <input
                    type="text"
                    inputMode="decimal"
                    size={8}
                    aria-label={`Cost per minute of ${annotator}`}
                    value={typed.get(annotator) ?? String(rate)}
                    data-testid={`rate-${annotator}`}
                    onInput={(event) => setTyped(new Map(typed).set(annotator, event.currentTarget.value))}
                  />
                )}
              </td>
              <td class="number">{Number(cost.toPrecision(4))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        In a unit of yours, above 0; it counts from now on, the first one for earlier minutes, too. Where a rate is set, progress, the report and the advice on
        stopping count cost.
      </p>
      {elsewhere ? (
        <a href={linkTo.people(project)} data-testid="set-costs">
          Set costs among the people
        </a>
      ) : (
        <Save changed={changed.length > 0} testid="save-rates" />
      )}
    </form>
  );
}
