/** Whose work is on the screen: what the draft began with, whose annotation is in force, and why the case was put aside. */
import type { Base, Prediction } from "../api/types";
import type { CaseSession } from "../state/session";
import { day } from "./format";

/** "annotation by Ada, 3 Nov"; "imported annotation, 3 Nov". */
export function signed({ annotator, origin, at, lacking = [] }: Pick<Base, "annotator" | "origin" | "at" | "lacking">): string {
  const when = `${at ? `, ${day(at)}` : ""}${lacking.length > 0 ? ` (without ${lacking.join(", ")})` : ""}`;
  if (origin === "imported") return `imported annotation${when}`;
  return `annotation by ${annotator ?? "somebody"}${when}`;
}

export function Provenance({ session }: { session: CaseSession }) {
  const { base, standing, withdrawn } = session.opened.assignment;
  const prediction = session.prediction.value;
  return (
    <>
      <p class="facts">
        {base && <span data-testid="base">{beginning(base, prediction)}</span>}
        <ModelExpects session={session} />
      </p>
      {standing && standing.annotation_id !== base?.annotation_id && (
        <p class="facts" data-testid="standing">
          In force: {signed(standing)}
        </p>
      )}
      {withdrawn && (
        <p class="note" data-testid="withdrawn">
          {withdrawn.verb === "flagged" ? "Flagged" : "Skipped"}
          {withdrawn.by ? ` by ${withdrawn.by}` : ""}, {day(withdrawn.at)}: {withdrawn.reason}
        </p>
      )}
    </>
  );
}

/** A model by the name it has elsewhere, or by its number here. */
function modelWords(index: number | null | undefined, name: string | undefined): string {
  if (name) return `${name}, a model from elsewhere`;
  return index === null ? "one of two models that are compared" : `model ${index ?? "?"}`;
}

function beginning(base: Base, prediction: Prediction | null): string {
  if (base.kind === "annotation") return `Opens with the ${signed(base)}`;
  if (base.kind === "blank") return "Opens blank";
  if (base.kind === "elsewhere") return "Opens with a draft made in another program";
  const made = base.model_index === null ? prediction : base;
  return `Opens with the proposal of ${modelWords(made?.model_index, made?.model_name)}`;
}

/** The draft began with this very prediction. */
function isOf(base: Base | null, prediction: Prediction): boolean {
  return base !== null && base.kind === "prediction" && (base.model_index ?? prediction.model_index) === prediction.model_index;
}

/** The model behind the proposal, unless the line above names it; how good it is stands above Submit. */
function ModelExpects({ session }: { session: CaseSession }) {
  const prediction = session.prediction.value;
  if (session.proposalHidden.value) return null;
  if (!prediction) return <span>No proposal yet: no model has seen this case</span>;
  if (isOf(session.opened.assignment.base, prediction)) return null;
  return <span data-testid="proposal">Proposal of {modelWords(prediction.model_index, prediction.model_name)}</span>;
}

/** What submitting would do to the annotation in force. */
export function Replaces({ session }: { session: CaseSession }) {
  const { standing, evaluation } = session.opened.assignment;
  if (!standing) return null;
  const counts = session.project.kind === "classification" ? "the majority" : "the newest";
  return (
    <p class="hint replaces" data-testid="replaces">
      {session.replacesStanding ? `Submitting replaces the ${signed(standing)}` : `Submitting puts yours beside the ${signed(standing)}; ${counts} counts`}
      {evaluation && "; models are evaluated on this case"}
    </p>
  );
}
