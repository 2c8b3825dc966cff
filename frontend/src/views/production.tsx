/** A stream in production: what was decided about the cases that arrived, by which rule, what its audit found, and what a lead does about it. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { readDispositions, recallAccepted, renewRule } from "../api/calls";
import type { DisposedCase, StreamRule, StreamStanding } from "../api/types";
import { tell, tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Allowed } from "./controls";
import { Takeaway } from "./takeaway";

interface Props {
  project: string;
  /** Changes when cases, annotations or models did. */
  version: string;
  onChange: () => void;
}

const SHOWN = 20;
const WIDTH = 320;
const HEIGHT = 150;
const BASE = HEIGHT - 22;

export function ProductionPanel({ project, version, onChange }: Props) {
  const [found, setFound] = useState<StreamStanding | null>(null);
  const refresh = useCallback(() => {
    readDispositions(project).then(setFound).catch(tellError);
  }, [project]);
  useEffect(refresh, [refresh, version]);
  if (!found || (!found.on && found.cases.length === 0)) return null;
  const changed = (): void => {
    refresh();
    onChange();
  };
  return (
    <section class="panel panel-all" data-testid="production">
      <h2>Stream</h2>
      {found.alarm && (
        <p role="alert" data-testid="production-alarm">
          <span class="state state-failed">Alarm</span> since {found.alarm_at.slice(0, 16).replace("T", " ")}: {found.alarm}. Everything is deferred until a
          lead has the rule made anew.
        </p>
      )}
      <dl class="stats">
        {Object.entries(found.counts).map(([decision, count]) => (
          <div key={decision}>
            <dt>{decision}</dt>
            <dd data-testid={`production-${decision.replace(" ", "-")}`}>{count}</dd>
          </div>
        ))}
        <div>
          <dt>not decided yet</dt>
          <dd>{found.waiting}</dd>
        </div>
      </dl>
      <p class="hint" data-testid="production-rule">
        {found.rule ? found.rule.words : found.lacking && `Nothing is accepted: ${found.lacking}`}
      </p>
      {found.audit && <p class="hint">{found.audit.words}</p>}
      {found.earlier.map((line) => (
        <p key={line} class="hint">
          {line}
        </p>
      ))}
      {found.lapsed > 0 && <p class="hint">{found.lapsed} acceptances stand no longer: the model was rolled back, or the proposal rejected.</p>}
      {found.rule && <Curve rule={found.rule} />}
      <Allowed verb="decide" project={project}>
        <Lead project={project} found={found} onChange={changed} />
      </Allowed>
      {found.cases.length > 0 && (
        <Takeaway name="stream" rows={() => rowsOf(found.cases)}>
          <Cases project={project} cases={found.cases} />
        </Takeaway>
      )}
    </section>
  );
}

/** Every case that came with the answer: the table shows the first ones. */
const rowsOf = (cases: readonly DisposedCase[]): string[][] => [
  ["Case", "Decision", "Score", "Model", "At", "Reason"],
  ...cases.map((one) => [one.name, wordsOf(one), one.score?.toFixed(4) ?? "", String(one.model_index), one.at, one.reason]),
];

export const wordsOf = ({ decision, stands }: Pick<DisposedCase, "decision" | "stands">): string =>
  decision === "" ? "audit sample" : stands ? decision : `${decision}, stands no longer`;

/** Share of bad ones among the accepted against the share accepted, on the evaluated cases; the dot is where the rule stands. */
function Curve({ rule }: { rule: StreamRule }) {
  const most = Math.max(rule.risk * 2, ...rule.curve.map(({ share_bad: bad }) => bad), 0.01);
  const at = (coverage: number, bad: number): [number, number] => [20 + coverage * (WIDTH - 40), BASE - (bad / most) * (BASE - 10)];
  const [x, y] = at(rule.coverage, rule.share_bad);
  const promised = at(0, rule.risk)[1];
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  return (
    <figure class="chart" data-testid="production-curve">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Of the evaluated cases ${percent(rule.coverage)} would be accepted, ${percent(rule.share_bad)} of these bad, ${percent(rule.risk)} allowed`}
      >
        <line class="axis-line" x1="20" x2={WIDTH - 20} y1={BASE} y2={BASE} />
        <line class="axis-line" x1="20" x2={WIDTH - 20} y1={promised} y2={promised} stroke-dasharray="4 4" />
        <text class="tick" x="22" y={promised - 3}>
          allowed {percent(rule.risk)}
        </text>
        <polyline class="curve" points={rule.curve.map((point) => at(point.coverage, point.share_bad).join(",")).join(" ")} />
        {rule.above !== null && (
          <circle class="dot" cx={x} cy={y} r="4">
            <title>{rule.words}</title>
          </circle>
        )}
        {[0, 0.5, 1].map((tick) => (
          <text key={tick} class="tick" x={at(tick, 0)[0]} y={HEIGHT - 6} text-anchor="middle">
            {tick * 100} %
          </text>
        ))}
      </svg>
      <figcaption>Share of bad ones among the accepted, by the share accepted, on {rule.patients} evaluated patients</figcaption>
    </figure>
  );
}

/** Both need a reason, which is kept. */
function Lead({ project, found, onChange }: { project: string; found: StreamStanding; onChange: () => void }) {
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const act = (sent: Promise<string>): void => {
    setBusy(true);
    sent
      .then((message) => {
        tell("info", message);
        setWhy("");
        onChange();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  const renew = (): void => act(renewRule(project, why).then(() => "The rule is made anew when the next case arrives"));
  const recall = (): void => act(recallAccepted(project, why).then(({ cases }) => `${cases} cases that were accepted are read by people now`));
  if (!found.rule && !found.alarm && found.unread === 0) return null;
  const ready = !busy && why.trim() !== "";
  return (
    <p class="row">
      <input
        value={why}
        maxLength={500}
        placeholder="Reason, which is kept"
        aria-label="Reason"
        data-testid="production-why"
        onInput={(event) => setWhy(event.currentTarget.value)}
      />
      {(found.rule || found.alarm) && (
        <button disabled={!ready} title="On all patients evaluated by then; lifts an alarm" data-testid="production-renew" onClick={renew}>
          Make the rule anew
        </button>
      )}
      {found.unread > 0 && (
        <button disabled={!ready} title="People read them, and they count as accepted no longer" data-testid="production-recall" onClick={recall}>
          Recall {found.unread} accepted cases
        </button>
      )}
    </p>
  );
}

function Cases({ project, cases }: { project: string; cases: DisposedCase[] }) {
  return (
    <table class="table table-small" data-testid="production-cases">
      <thead>
        <tr>
          <th>Case</th>
          <th>Decision</th>
          <th class="number">Model</th>
          <th>Why</th>
        </tr>
      </thead>
      <tbody>
        {cases.slice(0, SHOWN).map((one) => (
          <tr key={one.case_id}>
            <td>
              <a href={linkTo.case(project, one.case_id)}>{one.name}</a>
            </td>
            <td>{wordsOf(one)}</td>
            <td class="number">{one.model_index}</td>
            <td class="hint">{one.reason}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
