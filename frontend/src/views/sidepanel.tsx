/** The panel at the right: why this case, what the model expects, labels, how things are drawn, and the answer. */

import { annotatorName, isSameName } from "../api/person";
import type { Returned as ReturnedCase } from "../api/types";
import { annotatedText, choosesLabels, namesOf } from "../state/annotated";
import { stepCase } from "../state/looking";
import { flipMarks } from "../state/markmode";
import { lookAtPart } from "../state/opening";
import { countWhole, togglePart, whyNoParts } from "../state/ownparts";
import { adoptOffer } from "../state/proposals";
import { type CaseSession, whyLooksOnly } from "../state/session";
import { rejectSession, submitSession } from "../state/submitting";
import { withKey } from "../tools/keytables";
import { ClassChooser } from "./classchooser";
import { Key, PlainButton } from "./controls";
import { day } from "./format";
import { GoldButton } from "./gold";
import { Instructions } from "./instructions";
import { later } from "./later";
import { PromptOptions } from "./prompts";
import { ProposalOptions } from "./proposal";
import { Provenance, Replaces } from "./provenance";
import { SegmentTable } from "./segments";
import { CaseStrip } from "./strip";

type Panel = { session: CaseSession };

const HypothesisOptions = later<Panel>(() => import("./hypotheses").then((part) => part.HypothesisOptions), Fetched);
const LookOptions = later<Panel>(() => import("./look").then((part) => part.LookOptions), Fetched);
const MeasurementPanel = later<Panel>(() => import("./measurements").then((part) => part.MeasurementPanel), Fetched);
const ReasonOptions = later<Panel>(() => import("./reasons").then((part) => part.ReasonOptions), Fetched);
const Introduction = later(
  () => import("./introduction").then((part) => part.Introduction),
  () => null,
);
const MarksPanel = later<Panel>(
  () => import("./marks").then((part) => part.MarksPanel),
  () => <p class="facts">Loading…</p>,
);

/** Nothing while a panel's script is on its way. */
function Fetched({ failed }: { failed: boolean }) {
  return failed ? <p class="facts">A panel could not be fetched: load the page again, what you drew is kept.</p> : null;
}

export function SidePanel({ session, openDialog }: { session: CaseSession; openDialog: (dialogue: "skip" | "flag") => void }) {
  const segments = session.project.kind === "segmentation";
  return (
    <aside class="side" aria-label="Case">
      <Introduction session={session} />
      <div class="side-scroll">
        <Reason session={session} />
        {segments ? <SegmentTable session={session} /> : <ClassChooser session={session} />}
        {segments && !session.looksOnly && (session.marking.value ? <MarksPanel session={session} /> : <PromptOptions session={session} />)}
        {segments && session.purpose === "read" && !session.looksOnly && !session.marking.value && (
          <section class="block">
            <PlainButton
              class="small"
              title={withKey("Points, scribbles, boxes and tags where there is no time for a mask", "marks")}
              testid="marks-open"
              onPress={() => flipMarks(session)}
            >
              Marks instead of a mask
            </PlainButton>
            {whyNoParts(session) === "" && (
              <PlainButton
                class="small"
                title={withKey("Only what is chosen counts, the rest of the case stays unknown", "own-part")}
                testid="own-part"
                onPress={() => togglePart(session)}
              >
                {session.advice.region.value ? "Only this box counts" : `Only this ${session.sliceWord} counts`}
              </PlainButton>
            )}
          </section>
        )}
        {segments && <ProposalOptions session={session} />}
        {segments && <HypothesisOptions session={session} />}
        <ReasonOptions session={session} />
        <MeasurementPanel session={session} />
        <LookOptions session={session} />
      </div>
      <Verbs session={session} openDialog={openDialog} />
    </aside>
  );
}

function Reason({ session }: { session: CaseSession }) {
  const { assignment } = session.opened;
  const { instructions } = session.project;
  return (
    <section class="block">
      {session.returned.value && <Returned {...session.returned.value} />}
      {session.purpose === "decide" && (
        <p class="note" data-testid="deciding">
          You draw the decision: accepted, it stands before the readings, which stay as they are.
        </p>
      )}
      {assignment.reason && session.returned.value === null && (
        <p class="why" data-testid="reason-queried">
          {assignment.reason}
        </p>
      )}
      {assignment.kind === "verify" && (
        <p class="note" data-testid="queried-look">
          Submit the proposal if it is right as it is. If not, take a tool and correct it, or reject it: the case is queried again.
        </p>
      )}
      {session.queried.length > 0 && (
        <div class="note" data-testid="queried-parts">
          {session.named.value.length > 0 ? (
            `Submitting keeps the named ${session.sliceWord}s only, background included: ${session.named.value.map(({ name }) => name).join(", ")}.`
          ) : (
            <>
              Submitting keeps what {session.choseParts ? "you chose" : "is queried"} only, background included.{" "}
              {session.choseParts && (
                <button class="small" data-testid="count-whole" onClick={() => countWhole(session)}>
                  Count all of it
                </button>
              )}
              {session.queried.map((_, n) => (
                <button key={n} class="small" data-testid={`queried-${n}`} onClick={() => lookAtPart(session, n)}>
                  {session.partTitle(n)}
                </button>
              ))}
            </>
          )}
        </div>
      )}
      {session.opened.assignment.queried_label !== null && (
        <p class="note" data-testid="queried-label">
          Only {namesOf(session.labels, new Set([session.opened.assignment.queried_label]))} is queried: the other labels are annotated, and locked.
        </p>
      )}
      <Provenance session={session} />
      <GoldButton session={session} />
      {session.offered.value && (
        <button class="small" data-testid="use-proposal" onClick={() => adoptOffer(session)}>
          Use the new proposal{session.offered.value.prediction.model_index === null ? "" : ` of model ${session.offered.value.prediction.model_index}`}
        </button>
      )}
      {session.header.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {instructions && (
        <details>
          <summary>Instructions</summary>
          <Instructions project={session.project.id} text={instructions} />
        </details>
      )}
    </section>
  );
}

function Returned({ by, to, comment, at }: ReturnedCase) {
  return (
    <p class="banner returned" role="note" data-testid="returned-note">
      <strong>
        <bdi>{by}</bdi> returned this case to {isSameName(to, annotatorName.value) ? "you" : <bdi>{to}</bdi>}
      </strong>
      , {day(at)}: {comment}
    </p>
  );
}

/** In a project that can only be read: on to the next case, and the verbs as they are, out of reach. */
function Steps({ session }: { session: CaseSession }) {
  return (
    <div class="verbs">
      <button data-testid="case-before" onClick={() => void stepCase(session, -1)}>
        Previous case <Key of="case-back" />
      </button>
      <button data-testid="case-after" onClick={() => void stepCase(session, 1)}>
        Next case <Key of="case-next" />
      </button>
      {["submit", "skip", "flag"].map((verb) => (
        <button key={verb} disabled data-testid={verb} title={whyLooksOnly(session.project)}>
          {verb[0]!.toUpperCase() + verb.slice(1)}
        </button>
      ))}
    </div>
  );
}

/** What the mask will say, where it does not speak of every label. */
function AnnotatedLine({ session }: { session: CaseSession }) {
  const text = choosesLabels(session) ? annotatedText(session.labels, session.annotated.value) : "";
  return text ? (
    <p class="hint" role="status" data-testid="annotated-said">
      {text}
    </p>
  ) : null;
}

function Verbs({ session, openDialog }: { session: CaseSession; openDialog: (dialogue: "skip" | "flag") => void }) {
  const busy = session.busy.value;
  if (session.looksOnly) return <Steps session={session} />;
  const ready = session.project.kind === "classification" ? session.tag.value !== null : session.draft.value !== null;
  return (
    <div class="verbs" data-verb={session.purpose === "decide" ? "review" : "annotate"}>
      {session.purpose === "read" && <CaseStrip session={session} />}
      {session.purpose === "read" && <Replaces session={session} />}
      <AnnotatedLine session={session} />
      <button
        class="primary submit"
        disabled={!ready || busy !== ""}
        data-testid="submit"
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => void submitSession(session)}
      >
        {busy === "waiting" ? "Waiting for the server…" : busy === "submitting" ? "Submitting…" : session.purpose === "decide" ? "Accept" : "Submit"}{" "}
        <Key of="submit" />
      </button>
      {session.opened.assignment.kind === "verify" && session.purpose === "read" && (
        <button
          data-testid="reject"
          disabled={!ready || busy !== ""}
          title="The proposal is wrong: the case is queried again, before others"
          onClick={() => void rejectSession(session)}
        >
          Reject <Key of="verify-reject" />
        </button>
      )}
      <button data-testid="skip" disabled={busy !== ""} onClick={() => openDialog("skip")}>
        Skip <Key of="skip" />
      </button>
      <button data-testid="flag" disabled={busy !== ""} onClick={() => openDialog("flag")}>
        Flag <Key of="flag" />
      </button>
    </div>
  );
}
