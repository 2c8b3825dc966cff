/** The federations that a project took part in: terms, sites, rounds, what came of each, and what they have cost its patients. */
import { useEffect, useState } from "preact/hooks";
import { readFederations } from "../api/calls";
import type { FederatedRound, Federation, Federations } from "../api/types";
import { tellError } from "../state/notices";

export function FederationsPanel({ project, version }: { project: string; version: string }) {
  const [found, setFound] = useState<Federations | null>(null);
  useEffect(() => {
    readFederations(project).then(setFound).catch(tellError);
  }, [project, version]);
  if (!found?.federations.length) return null;
  const { account, federations } = found;
  return (
    <section class="panel panel-wide" data-testid="federations">
      <h2>Federations</h2>
      <p class="hint" data-testid="federations-cost">
        {account.federations > 0 && `Cost of ${account.federations} with noise: ε ${account.epsilon.toFixed(2)} at δ ${account.delta} for each patient. `}
        {account.without_noise > 0 && `${account.without_noise} without noise, which nothing bounds.`}
      </p>
      {federations.map((one) => (
        <One key={one.id} one={one} />
      ))}
    </section>
  );
}

function One({ one }: { one: Federation }) {
  const dice = Object.entries(one.dice).map(([split, mean]) => `${split} Dice ${mean.toFixed(3)}`);
  const terms = Object.entries(one.terms).map(([name, value]) => `${name} ${value}`);
  return (
    <details data-testid="federation">
      <summary>
        <strong>Model {one.model_index}</strong> {one.standing}: {one.rounds_held} of {one.rounds_planned} rounds, {one.strategy}, {one.cases} cases of{" "}
        {one.sites.join(", ")}
        {dice.length > 0 && `; here ${dice.join(", ")}`}
      </summary>
      <p class="hint">{[`federation ${one.id}`, ...terms].join(", ")}</p>
      <table class="table table-small">
        <thead>
          <tr>
            <th class="number">Round</th>
            <th>Updates that counted</th>
            <th>Left out or missing</th>
          </tr>
        </thead>
        <tbody>
          {one.rounds.map((round) => (
            <tr key={round.round}>
              <td class="number">{round.round}</td>
              <td>{updates(round)}</td>
              <td>{without(round)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

const updates = (round: FederatedRound): string =>
  round.sites
    .map(({ site, cases, norm, loss, epsilon }) => {
      const figure = loss !== null ? `loss ${loss.toFixed(3)}` : epsilon !== null ? `ε ${epsilon.toFixed(2)}` : "";
      return [`${site} ${cases} cases`, `norm ${norm.toPrecision(3)}`, figure].filter(Boolean).join(", ");
    })
    .join("; ");

const without = (round: FederatedRound): string =>
  [...Object.entries(round.left_out).map(([site, why]) => `${site}: ${why}`), ...round.missing.map((site) => `${site}: missing`)].join("; ");
