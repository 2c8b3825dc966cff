/** What the queried cases say of the pool, weighted by the chances of their choice, beside the evaluation cases. */
import type { SelectedPool } from "../api/shapes";

export function SelectedPanel({ selected }: { selected: SelectedPool }) {
  const { estimate, warning } = selected;
  return (
    <div data-testid="selected-pool">
      <p class="hint">{selectedWords(selected)}</p>
      {[estimate.warning, warning].filter(Boolean).map((line) => (
        <p key={line} class="note" role="note">
          {line}
        </p>
      ))}
    </div>
  );
}

/** "Over the pool: model 3 has 0.812 (0.750 to 0.861), by 24 of 310 cases …", or why there is no estimate. */
export function selectedWords({ estimate, split, audit, audit_low: low, audit_high: high, basis }: SelectedPool): string {
  const by = basis && ` The advice goes by ${basis}.`;
  if (estimate.mean === null) return `Over the pool: ${estimate.note}.${by}`;
  const ends = estimate.low === null || estimate.high === null ? estimate.note : range(estimate.low, estimate.high);
  const beside = audit === null ? "" : ` On ${split} cases it has ${audit.toFixed(3)}${low !== null && high !== null ? ` (${range(low, high)})` : ""}.`;
  const plain = estimate.plain === null ? "" : `; their plain mean, which their choice biases, is ${estimate.plain.toFixed(3)}`;
  return (
    `Over the pool: model ${estimate.model_index} has ${estimate.mean.toFixed(3)} (${ends}), by ${estimate.cases} of ${estimate.pool} cases, ` +
    `drawn and weighted by their chances${plain}.${beside}${by}`
  );
}

const range = (low: number, high: number): string => `${low.toFixed(3)} to ${high.toFixed(3)}`;
