/** Every model with its score, how it compares, and which one proposes now. */
import { useState } from "preact/hooks";
import { useModel } from "../api/calls";
import type { Comparison, CurvePoint, ModelRow } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Empty } from "./controls";
import { interval } from "./curve";
import { SPLITS } from "./curvepanel";
import { clock, duration } from "./format";

interface ModelsProps {
  project: string;
  models: ModelRow[];
  curve: CurvePoint[];
  onChange: () => void;
}

export function Models({ project, models, curve, onChange }: ModelsProps) {
  const [busy, setBusy] = useState(false);
  if (models.length === 0) return <Empty title="No model yet">Answer some cases; training starts by itself.</Empty>;
  const use = (index: number): void => {
    setBusy(true);
    useModel(project, index)
      .then(() => {
        tell("info", `Model ${index} proposes from now on`);
        onChange();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <table class="table table-small" data-testid="models">
      <thead>
        <tr>
          <th>Model</th>
          <th>Score</th>
          <th>Compared</th>
          <th class="number">Cases</th>
          <th>Made</th>
          <th class="number">Took</th>
          <th>In use</th>
        </tr>
      </thead>
      <tbody>
        {[...models].reverse().map((model) => (
          <tr key={model.id} data-testid={`model-${model.index}`}>
            <td class="strong">{model.index}</td>
            <td>{scoresOf(model.index, curve).map((text) => <div key={text}>{text}</div>)}</td>
            <td>
              {comparedOf(model)}
              {model.note && <p class="hint">{model.note}</p>}
            </td>
            <td class="number">{model.cases ?? "–"}</td>
            <td>{clock(model.created_at)}</td>
            <td class="number">{model.seconds === null ? "–" : duration(model.seconds)}</td>
            <td>
              {model.live && (
                <span class="state state-done" title={model.note}>
                  in use
                </span>
              )}
              {model.live === false && (
                <button class="small" disabled={busy} data-testid={`use-model-${model.index}`} aria-label={`Use model ${model.index}`} onClick={() => use(model.index)}>
                  Use
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** "test dice 0.812 (0.771–0.845)", the most trustworthy split first. */
export function scoresOf(index: number, curve: readonly CurvePoint[]): string[] {
  const own = curve.filter((point) => point.model_index === index);
  const rank = ({ split }: CurvePoint): number => (SPLITS.indexOf(split) + SPLITS.length + 1) % (SPLITS.length + 1);
  return own.sort((a, b) => rank(a) - rank(b)).map((point) => `${point.split} ${point.metric} ${point.mean.toFixed(3)} ${interval(point)}`);
}

/** The server's words, or the plain ones of the verdict. */
export function comparedOf({ comparison, nothing_new: same, index }: ModelRow): string {
  if (comparison) return comparison.text || wordsOf(comparison);
  if (same) return "Learned nothing new";
  return index === 1 ? "The first" : "–";
}

function wordsOf({ verdict, with_index: other, patients }: Comparison): string {
  const on = `on ${patients} patient${patients === 1 ? "" : "s"}`;
  if (verdict === "better" || verdict === "worse") return `${verdict === "better" ? "Better" : "Worse"} than model ${other} ${on}`;
  return verdict === "too few patients" ? `Too few patients to compare with model ${other} (${patients})` : `No difference to model ${other} shown ${on}`;
}
