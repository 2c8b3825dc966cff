/** The model's reasons in the panel: the map with legend, method and opacity; cases alike; and "this reason is wrong". */
import { useEffect, useRef } from "preact/hooks";
import type { Method, Similar } from "../api/types";
import { evidenceColour } from "../render/lut";
import type { Reason } from "../state/advice";
import * as display from "../state/display";
import type { Outcome } from "../state/question";
import { askReasons, explainedLabel, METHODS, objectToReason, withdrawObjection } from "../state/reasons";
import { linkTo } from "../state/router";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Key, PlainButton, useInView } from "./controls";
import { Legend, OpacitySlider, percent } from "./look";

export function ReasonOptions({ session }: { session: CaseSession }) {
  const shown = session.advice.reasonShown.value;
  const label = explainedLabel(session);
  const method = display.reasonMethod.value;
  useEffect(() => void (shown && askReasons(session, label, method)), [session, shown, label, method]);
  const outcome = session.advice.reason.outcome.value;
  const block = useInView(shown, outcome.state);
  if (!shown) return null;
  return (
    <section ref={block} class="block" data-testid="reasons" aria-busy={outcome.state === "none" || outcome.state === "pending"}>
      <h3>
        <span>Why {session.labels.find(({ value }) => value === label)?.name}?</span> <Key of="reasons" />
      </h3>
      <Methods />
      {outcome.state === "pending" && (
        <p class="facts working" role="status">
          Waiting for the model…
        </p>
      )}
      {outcome.state === "refused" && (
        <p class="facts" role="status" data-testid="reasons-refused">
          {outcome.line}
        </p>
      )}
      {outcome.state === "there" && (
        <>
          <EvidenceMap reason={outcome.value} />
          {!session.looksOnly && <Objecting session={session} />}
        </>
      )}
      {outcome.state !== "none" && <Alike session={session} outcome={session.advice.similar.outcome.value} shown={outcome} />}
    </section>
  );
}

function Methods() {
  return (
    <ButtonRow class="chips" role="radiogroup" label="How to explain">
      {(Object.keys(METHODS) as Method[]).map((method) => (
        <PlainButton
          key={method}
          class="chip"
          role="radio"
          checked={display.reasonMethod.value === method}
          title={METHODS[method].shows}
          testid={`method-${method}`}
          onPress={() => (display.reasonMethod.value = method)}
        >
          {METHODS[method].name}
        </PlainButton>
      ))}
    </ButtonRow>
  );
}

/** Above this share, integrated gradients do not add up to what they explain. */
const LARGEST_GAP = 0.1;

function EvidenceMap({ reason: { method, gap } }: { reason: Reason }) {
  const legend = METHODS[method].signed ? { from: "against", colourOf: (share: number) => shaded(2 * share - 1) } : { from: "none", colourOf: shaded };
  return (
    <>
      <Legend key={legend.from} {...legend} to="for" testid="reason-legend" />
      <OpacitySlider opacity={display.reasonOpacity} low={0.1} testid="reason-opacity" />
      {gap !== null && Math.abs(gap) > LARGEST_GAP && (
        <p class="note">This map does not add up to the prediction ({percent(Math.abs(gap))} off): do not rely on it</p>
      )}
    </>
  );
}

/** As on a dark image: the weaker, the darker. */
function shaded(share: number): readonly number[] {
  return evidenceColour(share).map((part) => Math.round(part * Math.sqrt(Math.abs(share))));
}

function Objecting({ session }: { session: CaseSession }) {
  const { advice } = session;
  const field = useRef<HTMLInputElement>(null);
  /** Done typing: the keys are the page's again. */
  const letGo = (): void => field.current?.blur();
  const send = (event: Event): void => {
    event.preventDefault();
    letGo();
    void objectToReason(session);
  };
  return (
    <form class="objecting" onSubmit={send}>
      <label class="field">
        What must not count here (optional)
        <input
          ref={field}
          type="text"
          value={advice.objectionWords.value}
          maxLength={500}
          placeholder="a ruler, a letter, a tube"
          data-testid="objection-words"
          onKeyDown={(event) => event.key === "Escape" && letGo()}
          onInput={(event) => (advice.objectionWords.value = event.currentTarget.value)}
        />
      </label>
      <div class="row pair">
        <PlainButton
          class="small"
          title={`${withKey("Record that what lies in your box must not count as evidence", "object")}; ${withKey("a box is drawn first", "region")}`}
          testid="object"
          onPress={() => void objectToReason(session)}
        >
          This reason is wrong <Key of="object" />
        </PlainButton>
        {advice.drawnObjections.length > 0 && (
          <PlainButton
            class="small"
            title={withKey("Take your objection back", "object-withdraw")}
            testid="withdraw-objection"
            onPress={() => void withdrawObjection(session)}
          >
            Take back <Key of="object-withdraw" />
          </PlainButton>
        )}
      </div>
    </form>
  );
}

/** `shown`: what the panel says already, so that the same refusal is not read twice. */
function Alike({ session, outcome, shown }: { session: CaseSession; outcome: Outcome<Similar>; shown: Outcome<Reason> }) {
  if (outcome.state === "refused" && shown.state === "refused" && outcome.line === shown.line) return null;
  if (outcome.state === "refused") return <p class="hint">{outcome.line}</p>;
  if (outcome.state !== "there") return null;
  const { by, cases } = outcome.value;
  return (
    <>
      <p class="hint">Annotated cases most alike{by === "model" ? "" : ", by their images alone"}:</p>
      <ol class="alike" data-testid="alike">
        {cases.map(({ case_id, name, labels, quality }) => (
          <li key={case_id}>
            <a href={linkTo.case(session.project.id, case_id)} target="_blank" rel="noopener" title="Open in another tab" data-testid={`alike-${case_id}`}>
              {name}
            </a>
            <span class="faint">
              {labels.join(", ") || "empty"}
              {quality !== null && ` · scored ${quality.toFixed(2)}`}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
