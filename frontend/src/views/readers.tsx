/** Who has read a case: colour, eye, skill with its interval; and how far they agree, label by label. */
import type { Reading, Skill } from "../api/types";
import { type Comparison, STANDING_COLOUR } from "../state/comparing";
import { Bar, Swatch } from "./controls";
import { clock, duration } from "./format";
import { Icon } from "./icons";

export function Readers({ found }: { found: Comparison }) {
  const { consensus } = found.readings.value;
  const segments = found.project.kind === "segmentation";
  return (
    <section class="block">
      <h3>Readers</h3>
      <ul class="readers" data-testid="readers">
        {found.readers.map((reading, n) => (
          <li key={reading.annotation_id}>
            {segments && (
              <Eye
                name={reading.annotator}
                shown={!found.hidden.value.has(reading.annotation_id)}
                press={() => found.toggle(reading.annotation_id)}
                place={n}
              />
            )}
            {segments && <Swatch colour={found.colourOf(reading.annotation_id)} />}
            <span class="grow">
              <bdi class="strong">{reading.annotator}</bdi>
              {!segments && <strong> {className(found, reading.tag)}</strong>}
              <About reading={reading} skill={consensus?.skills[reading.annotator]} />
            </span>
            {reading.standing && <span class="state state-accepted">stands</span>}
          </li>
        ))}
        <Standing found={found} />
      </ul>
      {consensus?.note && <p class="note">{consensus.note}</p>}
    </section>
  );
}

function Eye({ name, shown, press, place }: { name: string; shown: boolean; press: () => void; place: number | null }) {
  return (
    <button
      class="quiet eye"
      aria-pressed={shown}
      aria-label={`Show ${name}`}
      title={place !== null && place < 9 ? `Show or hide (${place + 1})` : "Show or hide"}
      data-testid={`eye-${name}`}
      onMouseDown={(event) => event.preventDefault()}
      onClick={press}
    >
      <Icon name={shown ? "why" : "closed"} />
    </button>
  );
}

function About({ reading, skill }: { reading: Reading; skill: Skill | undefined }) {
  const { at, effort_seconds: seconds, blind, origin } = reading;
  const facts = [clock(at), ...(seconds ? [duration(seconds)] : []), ...(blind ? ["read blind"] : []), ...(origin === "imported" ? ["imported"] : [])];
  return (
    <span class="hint facts-line">
      {facts.join(" · ")}
      {skill && (
        <span class="whole" data-testid={`skill-${reading.annotator}`} title="In this case, against the consensus, with its 90 % interval">
          {" "}
          · skill {skillWords(skill)}
        </span>
      )}
    </span>
  );
}

/** "0.87 (0.80–0.93)". */
export function skillWords({ value, low, high }: Skill): string {
  if (value === null) return "–";
  return `${value.toFixed(2)}${low !== null && high !== null ? ` (${low.toFixed(2)}–${high.toFixed(2)})` : ""}`;
}

/** What counts for the case, where that is nobody's own reading. */
function Standing({ found }: { found: Comparison }) {
  const { standing } = found;
  if (!standing || found.readers.includes(standing)) return null;
  const { consensus } = found.readings.value;
  const by = standing.origin === "consensus" ? `consensus by ${consensus?.method ?? "fusion"}` : `adjudicated by ${standing.annotator}`;
  const segments = found.project.kind === "segmentation";
  return (
    <li data-testid="standing-reading">
      {segments && (
        <Eye name="what stands" shown={found.standingShown.value} press={() => (found.standingShown.value = !found.standingShown.value)} place={null} />
      )}
      {segments && <Swatch colour={STANDING_COLOUR} />}
      <span class="grow">
        <bdi class="strong">{by}</bdi>
        {!segments && <strong> {className(found, standing.tag)}</strong>}
        <span class="hint facts-line">{clock(standing.at)}</span>
      </span>
      <span class="state state-accepted">stands</span>
    </li>
  );
}

export const className = (found: Comparison, tag: number | null): string => found.project.labels.find(({ value }) => value === tag)?.name ?? "no class";

export function Agreement({ found }: { found: Comparison }) {
  const { consensus, progress } = found.readings.value;
  const { labels } = found.project;
  if (found.readers.length < 2) return null;
  if (found.project.kind === "classification") return <Chances found={found} />;
  return (
    <section class="block" data-testid="agreement">
      <h3>
        Agreement{" "}
        <span class="faint">{consensus ? `mean Dice of every two${consensus.in_force ? "" : `, ${clock(consensus.at)}`}` : "comes with the consensus"}</span>
      </h3>
      {labels.map((label) => {
        const value = consensus?.agreement_by_label[label.value] ?? null;
        return (
          <div key={label.value} class="agreeing" data-testid={`agreement-${label.value}`}>
            <Swatch colour={label.colour} />
            <span class="grow">{label.name}</span>
            <Bar
              share={value ?? 0}
              tone={value !== null && value < (found.project.settings.minimum_agreement ?? 0) ? "tone-low" : ""}
              label={`Agreement about ${label.name}`}
            />
            <span class="number">{value === null ? "–" : value.toFixed(2)}</span>
          </div>
        );
      })}
      {progress.state === "in review" && <p class="hint">{whyReviewed(found)}</p>}
    </section>
  );
}

function whyReviewed(found: Comparison): string {
  const { review, minimum_agreement: least = 0 } = found.project.settings;
  const { agreement } = found.readings.value.progress;
  if (review === "all" || agreement === null) return "A reviewer must approve what stands.";
  return `In review, because ${agreement.toFixed(2)} is less than the minimum agreement of ${least.toFixed(2)}.`;
}

/** What the consensus of a classification thinks of each class. */
function Chances({ found }: { found: Comparison }) {
  const { consensus } = found.readings.value;
  if (!consensus) return null;
  return (
    <section class="block" data-testid="agreement">
      <h3>
        Agreement <span class="faint">{consensus.agreement?.toFixed(2) ?? "–"}</span>
      </h3>
      {found.project.labels.map((label, n) => (
        <div key={label.value} class="agreeing">
          <Swatch colour={label.colour} />
          <span class="grow">{label.name}</span>
          <Bar share={consensus.probabilities[n] ?? 0} label={`Probability of ${label.name}`} />
          <span class="number">{consensus.probabilities[n]?.toFixed(2) ?? "–"}</span>
        </div>
      ))}
    </section>
  );
}
