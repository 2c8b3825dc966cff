/** The answer of a classification: one large button per class, with what the model expects. */
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { chooseLabel } from "../tools/keyactions";
import { ButtonRow } from "./buttonrow";
import { Bar, Swatch, Toggle } from "./controls";

export function ClassChooser({ session }: { session: CaseSession }) {
  const probabilities = session.prediction.value?.probabilities ?? [];
  return (
    <section class="block">
      <h3>Which class?</h3>
      <ButtonRow class="class-list" role="radiogroup" label="Class">
        {session.labels.map((label, n) => (
          <button
            key={label.value}
            class="class-row"
            role="radio"
            aria-checked={session.tag.value === label.value}
            data-testid={`class-${label.value}`}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => chooseLabel(session, label.value)}
          >
            <span class="class-name">
              <Swatch colour={label.colour} />
              <span class="grow">{label.name}</span>
              {n < 9 && <kbd>{n + 1}</kbd>}
            </span>
            {probabilities[n] !== undefined && (
              <span class="quality">
                <Bar share={probabilities[n]!} label={`Model: ${Math.round(probabilities[n]! * 100)} %`} />
                {Math.round(probabilities[n]! * 100)} %
              </span>
            )}
          </button>
        ))}
      </ButtonRow>
      <Toggle value={display.oneKeyAnnotates} testid="one-key">
        A class key submits and opens the next case
      </Toggle>
    </section>
  );
}
