/** Whether to go on annotating, and what the next batch should bring: the same words as `medloop status`. */
import type { EffortLine, StopAdvice } from "../api/types";
import { money } from "./format";

export function AdvicePanel({ advice }: { advice: StopAdvice }) {
  return (
    <div data-testid="stop-advice">
      <p class={advice.stop ? "verdict verdict-stop" : "verdict"}>{advice.stop ? "Stop annotating" : "Go on"}</p>
      <ul class="reasons">
        {advice.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      <p class="hint" data-testid="forecast">
        {forecastOf(advice)}
        {advice.minutes_note && ` (${advice.minutes_note})`}
      </p>
    </div>
  );
}

/** "The next batch: +0.006 (0.001 to 0.012) expected, about 24 minutes". */
export function forecastOf({ expected_gain: gain, interval, minutes }: StopAdvice): string {
  const whole = Math.max(1, Math.round(minutes ?? 0));
  const time = minutes === null ? "" : `about ${whole} minute${whole === 1 ? "" : "s"}`;
  if (gain === null) return `No forecast of the next batch yet${time && `; it takes ${time}`}`;
  const range = interval ? `, 95 % interval ${signedNumber(interval[0])} to ${signedNumber(interval[1])}` : ", no interval";
  return `The next batch should bring ${signedNumber(gain)}${range}${time && `; ${time}`}`;
}

export const signedNumber = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

/** Who annotated how much and how fast. */
export function People({ effort }: { effort: EffortLine[] }) {
  if (effort.length === 0) return null;
  const priced = effort.some(({ cost_per_minute: rate }) => rate !== 1);
  return (
    <>
      <h2>People</h2>
      <table class="table table-small" data-testid="people">
        <thead>
          <tr>
            <th>Who</th>
            <th class="number">Annotations</th>
            <th class="number">Minutes</th>
            <th class="number">Median</th>
            {priced && <th class="number">Cost</th>}
          </tr>
        </thead>
        <tbody>
          {effort.map((row) => (
            <tr key={row.annotator}>
              <td class="strong">{row.annotator}</td>
              <td class="number">{row.annotations}</td>
              <td class="number">{row.timed === 0 ? "–" : row.minutes.toFixed(1)}</td>
              <td class="number">{row.median_seconds === null ? "–" : `${Math.round(row.median_seconds)} s`}</td>
              {priced && <td class="number">{money(row.cost)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
