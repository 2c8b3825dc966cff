/** What was found of an image: the verdict, its reasons, the proposal and what it measures, and the numbers behind. */
import type { Acquisition } from "../api/types";

const WORDS: Record<Acquisition["verdict"], string> = {
  accept: "Accept",
  "acquire again": "Acquire again",
  unknown: "Not known: too few images to compare with",
};

export function Outcome({ found, seconds }: { found: Acquisition; seconds?: number }) {
  return (
    <section class="panel panel-wide" aria-live="polite" data-testid="acquisition-outcome">
      <h2 data-testid="acquisition-verdict">{WORDS[found.verdict]}</h2>
      {found.reasons.length > 0 && (
        <ul data-testid="acquisition-reasons">
          {found.reasons.map(({ reason, words }) => (
            <li key={reason}>{words}</li>
          ))}
        </ul>
      )}
      {found.picture && <img src={found.picture} alt={found.model === null ? "The image" : "The image with the proposal"} style={{ maxWidth: "100%" }} />}
      <Expected found={found} />
      {found.measures.length > 0 && <Measures found={found} />}
      {found.notes.map((note) => (
        <p class="hint" key={note}>
          {note}
        </p>
      ))}
      <details>
        <summary>Numbers</summary>
        <Numbers found={found} />
      </details>
      <p class="hint">
        {found.alarm > 0
          ? `At most ${(100 * found.alarm).toPrecision(2)} % of good images are called bad, by ${found.patients} patients with ${found.compared_with} images.`
          : "No rate of false alarms is known."}
        {seconds !== undefined && ` ${seconds.toFixed(1)} s.`}
      </p>
    </section>
  );
}

function Expected({ found }: { found: Acquisition }) {
  if (found.expected === null) return null;
  return (
    <p>
      Expected Dice of the proposal: {found.expected.toFixed(2)} ({shown(found.expected_low)} to {shown(found.expected_high)})
    </p>
  );
}

function Measures({ found }: { found: Acquisition }) {
  return (
    <table class="table" data-testid="acquisition-measures">
      <thead>
        <tr>
          <th>Label</th>
          <th>Measure</th>
          <th>Value</th>
          <th>Bounds</th>
        </tr>
      </thead>
      <tbody>
        {found.measures.map((one) => (
          <tr key={`${one.label} ${one.name}`} title={one.reason}>
            <td>{one.label}</td>
            <td>{one.name.replaceAll("_", " ")}</td>
            <td>
              {shown(one.value)} {one.unit}
            </td>
            <td>{one.low === null ? one.reason || "none" : `${shown(one.low)} to ${shown(one.high)}`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Numbers({ found }: { found: Acquisition }) {
  return (
    <table class="table">
      <thead>
        <tr>
          <th>Sign</th>
          <th>Value</th>
          <th>Usual up to</th>
        </tr>
      </thead>
      <tbody>
        {found.signs.map((one) => (
          <tr key={one.name} class={one.unusual ? "warn" : ""}>
            <td>{one.words}</td>
            <td>{shown(one.value)}</td>
            <td>{shown(one.usual)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const shown = (value: number | null): string => (value === null ? "–" : value.toPrecision(4).replace(/\.?0+$/, ""));
