/** What else the model may have meant, in the panel: its hypotheses, taking one, and where one prompt would change most. */
import type { SuggestedPrompt } from "../api/types";
import type { Alternatives } from "../state/advice";
import { hypothesesOpen, showHypothesis, takeHypothesis } from "../state/hypotheses";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Bar, Key, PlainButton, useInView } from "./controls";

export function HypothesisOptions({ session }: { session: CaseSession }) {
  const outcome = session.advice.alternatives.outcome.value;
  const open = hypothesesOpen(session);
  const block = useInView(open, outcome.state);
  if (!open) return null;
  return (
    <section ref={block} class="block" data-testid="hypotheses" aria-busy={outcome.state === "pending"}>
      <h3>
        What else it may have meant <Key of="hypothesis-next" />
      </h3>
      {outcome.state === "pending" && (
        <p class="facts working" role="status">
          Drawing samples of the model…
        </p>
      )}
      {outcome.state === "refused" && (
        <p class="facts" role="status" data-testid="hypotheses-refused">
          {outcome.line}
        </p>
      )}
      {outcome.state === "there" && <Choices session={session} alternatives={outcome.value} />}
    </section>
  );
}

function Choices({ session, alternatives: { hypotheses, suggested } }: { session: CaseSession; alternatives: Alternatives }) {
  const shown = session.advice.hypothesis.value;
  return (
    <>
      {hypotheses.length === 1 && <p class="facts">One hypothesis only: all samples of the model agree.</p>}
      <ButtonRow class="label-list" role="radiogroup" label="Hypothesis to draw">
        {hypotheses.map(({ weight }, n) => (
          <PlainButton
            key={n}
            class="label-row share-row"
            role="radio"
            checked={n === shown}
            title={`Draw hypothesis ${n + 1} as an outline`}
            testid={`hypothesis-${n}`}
            onPress={() => showHypothesis(session, n)}
          >
            <span>Hypothesis {n + 1}</span>
            <Bar share={weight} label="Share of the model’s samples" />
            <span>{Math.round(weight * 100)} %</span>
          </PlainButton>
        ))}
      </ButtonRow>
      {!session.looksOnly && <Taking session={session} />}
      {suggested.length > 0 && <SuggestedPrompts session={session} suggested={suggested} />}
    </>
  );
}

function Taking({ session }: { session: CaseSession }) {
  const part = session.advice.region.value || session.isPicture ? "In the box" : `In this ${session.sliceWord}`;
  return (
    <div class="row pair">
      <PlainButton
        class="small"
        title={withKey("The hypothesis drawn becomes the mask", "hypothesis-take")}
        testid="take-hypothesis"
        onPress={() => takeHypothesis(session, "whole")}
      >
        Take it <Key of="hypothesis-take" />
      </PlainButton>
      <PlainButton
        class="small"
        title={`${withKey("Take it inside your box, else in this slice only", "hypothesis-part")}; ${withKey("a box is drawn first", "region")}`}
        testid="take-hypothesis-part"
        onPress={() => takeHypothesis(session, "part")}
      >
        {part} <Key of="hypothesis-part" />
      </PlainButton>
    </div>
  );
}

function SuggestedPrompts({ session, suggested }: { session: CaseSession; suggested: readonly SuggestedPrompt[] }) {
  return (
    <>
      <p class="hint">One click here would settle most (◆ on the image):</p>
      <ButtonRow class="chips" label="Where one prompt would change most">
        {suggested.map((place, n) => (
          <PlainButton key={n} class="chip" title={saysOf(session, place)} testid={`suggested-${n}`} onPress={() => session.lookAt(place.voxel)}>
            ◆ {n + 1}
          </PlainButton>
        ))}
      </ButtonRow>
    </>
  );
}

function saysOf({ labels }: CaseSession, { change, shares }: SuggestedPrompt): string {
  const nameOf = (value: string): string => labels.find((label) => label.value === Number(value))?.name ?? "background";
  const says = Object.entries(shares).map(([value, share]) => `${nameOf(value)} ${Math.round(share * 100)} %`);
  return `The model’s samples say ${says.join(", ")}; knowing it would change the mask by ${change.toFixed(2)} (1 − Dice)`;
}
