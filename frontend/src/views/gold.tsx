/** Gold cases on the page: the feedback after one, and the button that makes one. */
import { useState } from "preact/hooks";
import * as calls from "../api/calls";
import type { Feedback } from "../api/types";
import { feedback } from "../state/gold";
import { tell, tellError } from "../state/notices";
import { projectOf, route } from "../state/router";
import type { CaseSession } from "../state/session";
import { Allowed } from "./controls";
import { Dialog } from "./dialog";
import { Instructions } from "./instructions";

export function FeedbackDialog() {
  const shown = feedback.value;
  if (shown === null) return null;
  const { found, picture, goOn } = shown;
  return (
    <Dialog title={`${found.case} was a gold case`} testid="feedback" onClose={goOn}>
      <p data-testid="feedback-score">{outcome(found)}</p>
      {Object.keys(found.by_label).length > 1 && (
        <ul>
          {Object.entries(found.by_label).map(([label, dice]) => (
            <li key={label}>
              {label}: {dice.toFixed(2)}
            </li>
          ))}
        </ul>
      )}
      {picture && <img class="feedback-picture" src={picture} alt="Outlines where yours and the truth differ most: the truth, and dashed yours" />}
      {picture && <p class="hint">The truth is the solid line, yours the dashed one.</p>}
      {found.mean && <p class="hint">{soFar(found.mean)}</p>}
      {found.tutorial && <p data-testid="feedback-tutorial">{found.tutorial.words}</p>}
      {found.instructions && (
        <details>
          <summary>Instructions</summary>
          <Instructions project={projectOf(route.value) ?? ""} text={found.instructions} />
        </details>
      )}
      <div class="row-end">
        <button class="primary" autofocus onClick={goOn} data-testid="feedback-on">
          Go on
        </button>
      </div>
    </Dialog>
  );
}

function outcome({ score, note, given, truth }: Feedback): string {
  if (score === null) return `${note}.`;
  if (truth) return score === 1 ? `Right: ${truth}.` : `You gave ${given}, the truth is ${truth}.`;
  return `Your score is ${score.toFixed(2)} (mean Dice with the truth).`;
}

function soFar({ mean, low, high, groups }: NonNullable<Feedback["mean"]>): string {
  const range = low !== null && high !== null ? ` (${low.toFixed(2)}–${high.toFixed(2)})` : "";
  return `So far: ${mean.toFixed(2)}${range} in ${groups} gold ${groups === 1 ? "case" : "cases"}`;
}

/** For whoever manages the project: the annotation in force becomes the truth that people are held against. */
export function GoldButton({ session }: { session: CaseSession }) {
  const [made, setMade] = useState(false);
  if (!session.opened.assignment.standing) return null;
  const make = (): void => {
    calls
      .makeGold(session.project.id, session.header.id)
      .then(() => {
        setMade(true);
        tell("info", `${session.header.name} is a gold case now`);
      })
      .catch(tellError);
  };
  return (
    <Allowed verb="manage" project={session.project.id}>
      <button class="small" disabled={made} onClick={make} data-testid="make-gold" title="Its annotation in force is the truth that people are held against">
        {made ? "Gold case" : "Make it a gold case"}
      </button>
    </Allowed>
  );
}
