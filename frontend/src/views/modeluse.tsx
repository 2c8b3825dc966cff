/** Which model is in use, and what a person may do about it: use one, release a candidate with a signature, roll back, give the choice back. */
import { useState } from "preact/hooks";
import { releaseModel, rollBack, useAutomatic, useModel } from "../api/calls";
import { hasAccounts, me } from "../api/me";
import type { ModelLine } from "../api/types";
import { Allowed } from "./controls";
import { Dialog } from "./dialog";
import { Field, Send, useSending } from "./forms";

interface UseProps {
  project: string;
  model: ModelLine;
  /** Whether another model was in use before. */
  hasBefore: boolean;
  busy: boolean;
  change: (changed: Promise<unknown>, message: string) => void;
}

export function ModelUse({ project, model, hasBefore, busy, change }: UseProps) {
  const [releasing, setReleasing] = useState(false);
  const use = (): void => change(useModel(project, model.index), `Model ${model.index} proposes from now on, until you say otherwise`);
  return (
    <>
      {model.live && (
        <span class="state state-done" title={model.note}>
          in use
        </span>
      )}
      {model.candidate && (
        <span class="state" title={model.note} data-testid={`candidate-${model.index}`}>
          candidate
        </span>
      )}
      <Allowed verb="train" project={project}>
        {model.live && model.pinned && (
          <button
            class="small"
            disabled={busy}
            data-testid="use-automatic"
            title="Newer models stand back while a person has chosen; let the better one propose again"
            onClick={() => change(useAutomatic(project), "The better model proposes from now on")}
          >
            Choose automatically
          </button>
        )}
        {model.live && hasBefore && (
          <button
            class="small"
            disabled={busy}
            data-testid="roll-back"
            title="Use the model again that was in use before this one"
            onClick={() => change(rollBack(project), "The model that was in use before proposes again, until you say otherwise")}
          >
            Roll back
          </button>
        )}
        {model.live === false && model.candidate && (
          <button class="small" disabled={busy} data-testid={`release-model-${model.index}`} onClick={() => setReleasing(true)}>
            Release…
          </button>
        )}
        {model.live === false && !model.candidate && (
          <button class="small" disabled={busy} data-testid={`use-model-${model.index}`} aria-label={`Use model ${model.index}`} onClick={use}>
            Use
          </button>
        )}
      </Allowed>
      {releasing && <Release project={project} model={model} change={change} onClose={() => setReleasing(false)} />}
    </>
  );
}

interface ReleaseProps {
  project: string;
  model: ModelLine;
  change: UseProps["change"];
  onClose: () => void;
}

/** What the gate found, and the signature of whoever releases the model all the same. */
function Release({ project, model, change, onClose }: ReleaseProps) {
  const account = hasAccounts() ? (me.value?.name ?? "") : "";
  const [why, setWhy] = useState("");
  const [name, setName] = useState("");
  const sending = useSending();
  const send = async (): Promise<void> => {
    await releaseModel(project, model.index, { why, signed_as: account || name });
    onClose();
    change(Promise.resolve(), `Model ${model.index} is released and proposes from now on`);
  };
  return (
    <Dialog title={`Release model ${model.index}`} testid="release-dialog" onClose={onClose}>
      <Gate model={model} />
      <form class="fields" onSubmit={sending.submit(send)}>
        <Field label="Reason" value={why} testid="release-why" autocomplete="off" autofocus help="The change record repeats it." onInput={setWhy} />
        {account ? (
          <p class="hint">Signed by {account}.</p>
        ) : (
          <Field label="Printed name" value={name} testid="release-name" autocomplete="name" onInput={setName} />
        )}
        <Send sending={sending} testid="release-send">
          Sign and release
        </Send>
      </form>
    </Dialog>
  );
}

export function Gate({ model }: { model: ModelLine }) {
  if (model.gate.length === 0) return <p class="hint">{model.note}</p>;
  return (
    <ul class="facts" data-testid={`gate-${model.index}`}>
      {model.gate.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
