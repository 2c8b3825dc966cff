/** The three questions at the top of the progress page, and the pictures that belong to the first one. */
import { changePath } from "../api/calls";
import type { ModelChange, Progress } from "../api/types";
import { changeWords, directionOf, scoreOf, targetWords, workWords } from "../state/answers";
import { AdvicePanel } from "./advicepanel";
import { Fetched } from "./picture";

export function Answers({ progress, change }: { progress: Progress; change: ModelChange | null }) {
  const [score, target] = [scoreOf(progress), targetWords(progress.target)];
  return (
    <div class="answers" data-testid="answers">
      <section class="panel" data-testid="how-good">
        <h2>How good?</h2>
        <p class="verdict">{score.value}</p>
        <p class="hint">{score.basis}</p>
        {change && (
          <p class={`change-${directionOf(change)}`} data-testid="change">
            {changeWords(change)}
          </p>
        )}
      </section>
      <section class="panel" data-testid="how-long">
        <h2>How long?</h2>
        <p class="verdict">{target.value}</p>
        <p class="hint">{target.basis}</p>
        <p class="hint" data-testid="per-case">
          A case takes {workWords(progress.work)}
        </p>
      </section>
      <section class="panel">
        <h2>Go on annotating?</h2>
        <AdvicePanel advice={progress.stopping} />
      </section>
    </div>
  );
}

/** A few evaluation cases by the last two models. */
export function BeforeAndAfter({ project, change }: { project: string; change: ModelChange }) {
  const pair = [
    [change.older, "before"],
    [change.newer, "after"],
  ] as const;
  return (
    <section class="panel panel-all" data-testid="before-after">
      <h2>
        Model {change.older} and model {change.newer}
      </h2>
      <p class="hint">
        {change.better} case{change.better === 1 ? "" : "s"} got better and {change.worse} worse by more than 0.005, on {change.split} cases. The annotation is
        solid, the prediction dashed; a volume is shown where the two models differ most.
      </p>
      <div class="pairs">
        {change.cases.map((one) => (
          <figure key={one.case_id} class="pair">
            <div class="pair-pictures">
              {pair.map(([index, word]) => (
                <Fetched
                  key={index}
                  path={changePath(project, one.case_id, index)}
                  version={`${change.older} ${change.newer}`}
                  name={`${one.name} by model ${index}: ${one[word].toFixed(3)}`}
                  look="thumbnail thumbnail-288"
                />
              ))}
            </div>
            <figcaption>
              {one.word && `${one.word}: `}
              <strong>{one.name}</strong> {one.before.toFixed(3)} → {one.after.toFixed(3)}
            </figcaption>
          </figure>
        ))}
      </div>
    </section>
  );
}
