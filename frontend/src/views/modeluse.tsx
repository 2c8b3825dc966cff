/** Which model is in use, and what a person may do about it: use one, release a candidate with a signature, roll back, give the choice back. */
import { useState } from "preact/hooks";
import { refuseModel, releaseModel, rollBack, useAutomatic, useModel } from "../api/calls";
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
  /** The model in use. */
  inUse: number | null;
  busy: boolean;
  change: (changed: Promise<unknown>, message: string) => void;
}

export function ModelUse({ project, model, hasBefore, inUse, busy, change }: UseProps) {
  const [releasing, setReleasing] = useState(false);
  const [refusing, setRefusing] = useState(false);
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
          {model.on_trial ? "on trial" : "candidate"}
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
            onClick={() => change(rollBack(project, model.index), "The model that was in use before proposes again, until you say otherwise")}
          >
            Roll back
          </button>
        )}
        {model.live === false && model.candidate && (
          <button class="small" disabled={busy} data-testid={`release-model-${model.index}`} onClick={() => setReleasing(true)}>
            Release…
          </button>
        )}
        {model.live === false && model.candidate && (
          <button class="small" disabled={busy} data-testid={`refuse-model-${model.index}`} onClick={() => setRefusing(true)}>
            Refuse…
          </button>
        )}
        {model.live === false && !model.candidate && (
          <button class="small" disabled={busy} data-testid={`use-model-${model.index}`} aria-label={`Use model ${model.index}`} onClick={use}>
            Use
          </button>
        )}
      </Allowed>
      {releasing && <Release project={project} model={model} inUse={inUse} change={change} onClose={() => setReleasing(false)} />}
      {refusing && <Refuse project={project} model={model} change={change} onClose={() => setRefusing(false)} />}
    </>
  );
}

interface RefuseProps {
  project: string;
  model: ModelLine;
  change: UseProps["change"];
  onClose: () => void;
}

interface ReleaseProps extends RefuseProps {
  inUse: number | null;
}

/** Why a candidate stays out of use; its trial ends. */
function Refuse({ project, model, change, onClose }: RefuseProps) {
  const [why, setWhy] = useState("");
  const sending = useSending();
  const send = async (): Promise<void> => {
    await refuseModel(project, model.index, why);
    onClose();
    change(Promise.resolve(), `Model ${model.index} is refused`);
  };
  return (
    <Dialog title={`Refuse model ${model.index}`} testid="refuse-dialog" onClose={onClose}>
      <Evidence model={model} />
      <form class="fields" onSubmit={sending.submit(send)}>
        <Field label="Reason" value={why} testid="refuse-why" autocomplete="off" autofocus help="The change record repeats it." onInput={setWhy} />
        <Send sending={sending} testid="refuse-send">
          Refuse
        </Send>
      </form>
    </Dialog>
  );
}

function Evidence({ model }: { model: ModelLine }) {
  return (
    <>
      <Gate model={model} />
      <Trial model={model} />
    </>
  );
}

/** What the gate found, and the signature of whoever releases the model all the same. */
function Release({ project, model, inUse, change, onClose }: ReleaseProps) {
  const account = hasAccounts() ? (me.value?.name ?? "") : "";
  const [why, setWhy] = useState("");
  const [name, setName] = useState("");
  const sending = useSending();
  const send = async (): Promise<void> => {
    await releaseModel(project, model.index, { why, signed_as: account || name, instead_of: inUse });
    onClose();
    change(Promise.resolve(), `Model ${model.index} is released and proposes from now on`);
  };
  return (
    <Dialog title={`Release model ${model.index}`} testid="release-dialog" onClose={onClose}>
      <Evidence model={model} />
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

/** The work on the candidate's proposals against that on those of the model in use. */
export function Trial({ model }: { model: ModelLine }) {
  if (model.trial.length === 0) return null;
  return (
    <ul class="facts" data-testid={`trial-${model.index}`}>
      {model.trial.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
