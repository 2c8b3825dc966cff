/** Every model with its score, how it compares, and which one proposes now. */
import { useState } from "preact/hooks";
import type { Comparison, ModelLine } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Empty } from "./controls";
import { interval, type Measured } from "./curve";
import { SPLITS } from "./curvepanel";
import { clock, duration, metricName } from "./format";
import { Gate, ModelUse, Trial } from "./modeluse";

interface ModelsProps {
  project: string;
  models: ModelLine[];
  curve: Measured[];
  onChange: () => void;
}

export function Models({ project, models, curve, onChange }: ModelsProps) {
  const [busy, setBusy] = useState(false);
  if (models.length === 0) return <Empty title="No model yet">Annotate some cases; training starts by itself.</Empty>;
  const change = (changed: Promise<unknown>, message: string): void => {
    setBusy(true);
    changed
      .then(() => {
        tell("info", message);
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
            <td>
              {scoresOf(model, curve).map((text) => (
                <div key={text}>{text}</div>
              ))}
              {[...surfacesOf(model, curve), model.calibration].filter(Boolean).map((text) => (
                <p class="hint" key={text}>
                  {text}
                </p>
              ))}
            </td>
            <td>
              {comparedOf(model)}
              {model.gate.length > 1 && (
                <details>
                  <summary>What the gate found</summary>
                  <Gate model={model} />
                </details>
              )}
              {model.trial.length > 0 && (
                <details open={model.on_trial}>
                  <summary>The trial so far</summary>
                  <Trial model={model} />
                </details>
              )}
              {remarksOf(model).map((remark) => (
                <p class="hint" key={remark}>
                  {remark}
                </p>
              ))}
            </td>
            <td class="number">{model.cases ?? "–"}</td>
            <td>{clock(model.created_at)}</td>
            <td class="number">{model.seconds === null ? "–" : duration(model.seconds)}</td>
            <td>
              <ModelUse
                project={project}
                model={model}
                hasBefore={models.some((one) => one.before && !one.live)}
                inUse={models.find((one) => one.live)?.index ?? null}
                busy={busy}
                change={change}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** "test Dice 0.812 (0.771–0.845)", the most trustworthy split first; a model that the curve leaves out has its own score. */
export function scoresOf(model: Pick<ModelLine, "index" | "score" | "low" | "high" | "score_split" | "score_note">, curve: readonly Measured[]): string[] {
  const own = curve.filter((point) => point.model_index === model.index);
  const rank = ({ split }: Measured): number => (SPLITS.indexOf(split) + SPLITS.length + 1) % (SPLITS.length + 1);
  if (own.length > 0)
    return own.sort((a, b) => rank(a) - rank(b)).map((point) => `${point.split} ${metricName(point.metric)} ${point.mean.toFixed(3)} ${interval(point)}`);
  if (model.score == null) return ["not evaluated"];
  const bounds = model.low != null && model.high != null ? ` (${model.low.toFixed(3)}–${model.high.toFixed(3)})` : model.score_note && ` (${model.score_note})`;
  return [`${model.score_split} ${metricName(curve[0]?.metric ?? "score")} ${model.score.toFixed(3)}${bounds}`];
}

/** "test: surface Dice 0.912 within a voxel, median HD95 2.3 mm", where surfaces were measured. */
export function surfacesOf({ index }: Pick<ModelLine, "index">, curve: readonly Measured[]): string[] {
  return curve.filter((point) => point.model_index === index && point.surface).map(({ split, surface }) => `${split}: ${surface}`);
}

/** The server's words, or the plain ones of the verdict. */
export function comparedOf({ comparison, index }: ModelLine): string {
  if (comparison) return comparison.text || wordsOf(comparison);
  return index === 1 ? "The first" : "–";
}

/** What else is to be message: no new evidence; why it is in use or not, as far as that still holds and was not message yet. */
export function remarksOf({ live, note, nothing_new: same, comparison, index }: ModelLine): string[] {
  const said = comparison?.text ?? "";
  const own = said && note?.endsWith(`; ${said}`) ? note.slice(0, -said.length - 2) : note;
  const outdated = !live && own?.startsWith(`model ${index} is in use`);
  const message = !own || outdated || (said && own.endsWith(said)) || own === "model 1 is the first";
  return [...(same ? ["Learned from the same annotations as another model: no further evidence"] : []), ...(message ? [] : [own!])];
}

function wordsOf({ verdict, with_index: other, patients }: Comparison): string {
  const on = `on ${patients} patient${patients === 1 ? "" : "s"}`;
  if (verdict === "better" || verdict === "worse") return `${verdict === "better" ? "Better" : "Worse"} than model ${other} ${on}`;
  return verdict === "too few patients" ? `Too few patients to compare with model ${other} (${patients})` : `No difference to model ${other} shown ${on}`;
}
