/** Which predictions need nobody, one person or two at a risk that the reader chooses, and what that rests on. */
import { useEffect, useState } from "preact/hooks";
import { readTriage } from "../api/calls";
import type { Decision, Project, Triage, TriageResult } from "../api/types";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Empty } from "./controls";
import { Takeaway } from "./takeaway";

const RISKS = [0.05, 0.1, 0.2];
const SHOWN = 8;
const WORDS: Record<Decision, string> = { accept: "nobody", review: "one person", "second expert": "two people" };

/** `version` changes whenever another model or annotation may change the decisions. */
export function TriagePanel({ project, version }: { project: Project; version: string }) {
  const [risk, setRisk] = useState(0.1);
  const result = useTriage(project.id, risk, version);
  return (
    <section class="panel panel-wide" data-testid="triage">
      <h2>Triage</h2>
      <label class="hint">
        At most this share of all cases accepted wrongly:{" "}
        <select value={risk} data-testid="triage-risk" onChange={(event) => setRisk(Number(event.currentTarget.value))}>
          {RISKS.map((share) => (
            <option key={share} value={share}>
              {percent(share)}
            </option>
          ))}
        </select>
      </label>
      {result?.found && (
        <Takeaway name="triage" rows={() => rowsOf(result.found!)}>
          <Decisions project={project} found={result.found} />
        </Takeaway>
      )}
      {result && !result.found && <Empty title={result.reason}>{result.remedy}</Empty>}
    </section>
  );
}

/** Every case: the table shows the first ones. */
const rowsOf = (found: Triage): string[][] => [
  ["Case", "Looked at by", "Expected quality", "Domain p", "Reason"],
  ...found.cases.map(({ name, decision, expected, domain_p, reason }) => [
    name,
    WORDS[decision],
    expected?.toFixed(3) ?? "",
    domain_p?.toFixed(3) ?? "",
    reason,
  ]),
];

function useTriage(project: string, risk: number, version: string): TriageResult | null {
  const [result, setResult] = useState<TriageResult | null>(null);
  useEffect(() => {
    const request = new AbortController();
    readTriage(project, risk, request.signal)
      .then(setResult)
      .catch((error: unknown) => {
        if (!request.signal.aborted) tellError(error);
      });
    return () => request.abort();
  }, [project, risk, version]);
  return result;
}

function Decisions({ project, found }: { project: Project; found: Triage }) {
  const count = (decision: Decision): number => found.cases.filter((row) => row.decision === decision).length;
  const { accept } = found;
  return (
    <>
      <dl class="stats">
        {(Object.keys(WORDS) as Decision[]).map((decision) => (
          <div key={decision}>
            <dt>{WORDS[decision]}</dt>
            <dd data-testid={`triage-${decision.replace(" ", "-")}`}>{count(decision)}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        On {accept.patients} evaluated {found.evaluated ? `${found.splits.join(" and ")} ` : ""}patients{leftOut(found)} {percent(accept.coverage)} were
        accepted, {percent(accept.accepted_loss)} of these below {found.good}
        {found.optimistic && "; validation cases also chose the model, so this is slightly optimistic"}
        {found.unpredicted > 0 && `; ${found.unpredicted} cases are not predicted yet`}
        {found.in_part > 0 && `; ${found.in_part} annotated for some labels only are left out`}.
      </p>
      <p class="hint" data-testid="triage-promise">
        {[found.promise, ...found.drifted].map((line) => (
          <span key={line}>{line.charAt(0).toUpperCase() + line.slice(1)}. </span>
        ))}
      </p>
      <table class="table table-small">
        <thead>
          <tr>
            <th>Case</th>
            <th>Looked at by</th>
            <th class="number">Expected quality</th>
            <th class="number" title="Chance that a case like those the model was judged on lies as far from what it learned">
              Domain p
            </th>
          </tr>
        </thead>
        <tbody>
          {found.cases.slice(0, SHOWN).map((row) => (
            <tr key={row.case_id} title={row.reason}>
              <td>
                <a href={linkTo.case(project.id, row.case_id)}>{row.name}</a>
              </td>
              <td>{WORDS[row.decision]}</td>
              <td class="number">{row.expected === null ? "–" : row.expected.toFixed(2)}</td>
              <td class="number">
                {row.outside && <span class="state state-failed">unlike</span>} {row.domain_p === null ? "–" : row.domain_p.toFixed(2)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** "(4 of validation left out: they also chose the weights)". */
function leftOut({ evaluated, splits }: Triage): string {
  const others = Object.entries(evaluated).filter(([split, patients]) => !splits.some((used) => used === split) && patients > 0);
  return others.length === 0 ? "" : ` (${others.map(([split, patients]) => `${patients} of ${split}`).join(", ")} left out: they also chose the weights)`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
