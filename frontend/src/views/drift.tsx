/** Whether the unlabelled cases are still like those that the model in use was judged on; compared when somebody asks, as images may be read for it. */
import { useState } from "preact/hooks";
import { readDrift } from "../api/calls";
import type { DriftReport, DriftResult, GroupDrift, Project } from "../api/types";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { AdaptButton, groupOf } from "./adapt";
import { Empty } from "./controls";
import { Takeaway } from "./takeaway";

const SHOWN = 8;

export function DriftPanel({ project }: { project: Project }) {
  const [by, setBy] = useState("");
  const [since, setSince] = useState("");
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<DriftResult | null>(null);
  const compare = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    readDrift(project.id, by.trim(), since)
      .then(setResult)
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <section class="panel panel-wide" data-testid="drift">
      <h2>Drift</h2>
      <form class="row" onSubmit={compare}>
        <label class="hint">
          Groups by{" "}
          <input
            value={by}
            placeholder="scanner, site, …"
            title="A column of the source's table; all for one group"
            data-testid="drift-by"
            onInput={(event) => setBy(event.currentTarget.value)}
          />
        </label>
        <label class="hint">
          Added since <input type="date" value={since} data-testid="drift-since" onInput={(event) => setSince(event.currentTarget.value)} />
        </label>
        <button disabled={busy} data-testid="drift-compare">
          {busy ? "Comparing…" : "Compare with the judged cases"}
        </button>
      </form>
      {result?.found && (
        <Takeaway name="drift" rows={() => rowsOf(result.found!)}>
          <Found project={project} found={result.found} />
        </Takeaway>
      )}
      {result?.imported.map((line) => (
        <p key={line} class="hint" data-testid="drift-imported">
          {line}
        </p>
      ))}
      {result && !result.found && <Empty title={result.reason}>{result.remedy}</Empty>}
    </section>
  );
}

/** Every compared case: the table shows those outside. */
const rowsOf = (found: DriftReport): string[][] => [
  ["Case", "Group", "p", "Outside"],
  ...found.cases.map(({ name, group, p, outside }) => [name, group, p.toFixed(4), outside ? "yes" : ""]),
];

function Found({ project, found }: { project: Project; found: DriftReport }) {
  const outside = found.cases.filter((line) => line.outside);
  return (
    <>
      <table class="table table-small" data-testid="drift-groups">
        <thead>
          <tr>
            <th>Group</th>
            <th>Verdict</th>
            <th class="number">Patients</th>
            <th class="number">Outside</th>
            <th>Tests (corrected p)</th>
          </tr>
        </thead>
        <tbody>
          {found.groups.map((group) => (
            <tr key={group.group}>
              <td class="strong">{group.group}</td>
              <td>
                <span class={group.verdict === "drift" ? "state state-failed" : "state"}>{group.verdict}</span>
                <p class="hint">{[group.meaning, ...group.notes].join("; ")}</p>
                {mayGain(found.by, group) && <AdaptButton project={project} by={found.by} group={group.group} />}
              </td>
              <td class="number" title={`against ${group.reference_patients} (${group.reference})`}>
                {group.patients}
              </td>
              <td class="number">{group.outside ?? "–"}</td>
              <td>
                <Tests group={group} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.note && <p class="hint">{found.note}</p>}
      {found.unpredicted > 0 && <p class="hint">{found.unpredicted} cases are not predicted yet, and were not compared.</p>}
      {found.unread > 0 && (
        <p class="hint" data-testid="drift-unread">
          {found.unread} images are not compared yet: compare again for the next ones.
        </p>
      )}
      {outside.length > 0 && (
        <p class="hint" data-testid="drift-outside">
          Unlike the judged cases:{" "}
          {outside.slice(0, SHOWN).map((line) => (
            <a key={line.case_id} href={linkTo.case(project.id, line.case_id)} title={`p ${line.p.toFixed(3)}`}>
              {line.name}{" "}
            </a>
          ))}
          {outside.length > SHOWN && `and ${outside.length - SHOWN} more`}
        </p>
      )}
    </>
  );
}

/** Whether adapting to a group could help: something was seen, or it is too small for a verdict; cases without a value make no group. */
export const mayGain = (by: string, { group, verdict }: Pick<GroupDrift, "group" | "verdict">): boolean =>
  verdict !== "none shown" && groupOf(by, group) !== null;

function Tests({ group }: { group: GroupDrift }) {
  return (
    <>
      {group.tests.map((test) => (
        <p key={test.kind} class="hint" title={`p ${test.p.toPrecision(2)} before correction; ${test.effect_name} ${test.effect.toFixed(3)}`}>
          {test.kind} {test.corrected < 0.001 ? "< 0.001" : test.corrected.toFixed(3)}
          {test.about && `: ${test.about}`}
        </p>
      ))}
    </>
  );
}
