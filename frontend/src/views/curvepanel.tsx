/** The learning curve, with what it is measured on said beside it. */
import { useState } from "preact/hooks";
import { ButtonRow } from "./buttonrow";
import { Empty } from "./controls";
import { Curve, type CurveAxis, type Measured } from "./curve";

/** The most trustworthy split comes first and is the one shown. */
export const SPLITS = ["test", "validation", "audit"];
const HONESTY: Record<string, string> = {
  test: "Test patients: never trained on, never queried.",
  validation: "Validation patients: never trained on, but models are chosen by them; slightly optimistic.",
  audit: "Audit sample: drawn at random when the cases came in, never trained on.",
};

export function CurvePanel({ points }: { points: Measured[] }) {
  const splits = [...new Set(points.map((point) => point.split))].sort((a, b) => rank(a) - rank(b));
  const [chosen, setChosen] = useState<string | null>(null);
  const [axis, setAxis] = useState<CurveAxis>("labelled_cases");
  const split = chosen !== null && splits.includes(chosen) ? chosen : splits[0];
  const shown = points.filter((point) => point.split === split);
  return (
    <>
      <div class="row">
        <h2 class="grow">Learning curve</h2>
        {splits.length > 1 && (
          <ButtonRow class="segments" label="Measured on">
            {splits.map((name) => (
              <button key={name} aria-pressed={name === split} onClick={() => setChosen(name)}>
                {name}
              </button>
            ))}
          </ButtonRow>
        )}
        <ButtonRow class="segments" label="Horizontal axis">
          <button aria-pressed={axis === "labelled_cases"} onClick={() => setAxis("labelled_cases")}>
            cases
          </button>
          <button aria-pressed={axis === "effort_minutes"} data-testid="axis-minutes" onClick={() => setAxis("effort_minutes")}>
            minutes
          </button>
        </ButtonRow>
      </div>
      {shown.length === 0 ? (
        <Empty title="No model has been measured yet">The curve starts with the first model.</Empty>
      ) : (
        <>
          <Curve points={shown} axis={axis} />
          <p class="hint" data-testid="curve-note">
            {HONESTY[split ?? ""] ?? `Measured on the ${split} split.`} {shown.some((point) => point.low !== null) && "Band: 95 % interval over patients."}
            {shown.some((point) => point.selected) && " Queries touched these cases, so the figure is optimistic."}
            {shown.length < 3 && " Few points: read it with care."}
          </p>
          {[...new Set(shown.map((point) => point.warning))].filter(Boolean).map((warning) => (
            <p key={warning} class="note" role="note" data-testid="curve-warning">
              {warning}
            </p>
          ))}
        </>
      )}
    </>
  );
}

function rank(split: string): number {
  const at = SPLITS.indexOf(split);
  return at < 0 ? SPLITS.length : at;
}
