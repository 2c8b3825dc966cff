/** The questions that the annotation view asks: why skip or flag, and what to do when the draft went apart. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { annotatedText } from "../state/annotated";
import { takeOnTop, takeSaved } from "../state/conflicts";
import type { CaseSession } from "../state/session";
import { closeWithout, submitSession } from "../state/submitting";
import { Dialog } from "./dialog";
import { signed } from "./provenance";

const REASONS = {
  skip: ["Image quality too poor", "Not sure about the annotation", "Not part of this task", "Wrong body part or sequence"],
  flag: ["Second opinion needed", "Incidental finding", "Damaged or wrongly oriented image", "Patient data visible in the image"],
};
const TITLES = { skip: "Skip this case", flag: "Flag this case" };

export function ReasonDialog({ session, verb, onClose }: { session: CaseSession; verb: "skip" | "flag"; onClose: () => void }) {
  const [reason, setReason] = useState(REASONS[verb][0]!);
  const { standing } = session.opened.assignment;
  const send = (event: Event): void => {
    event.preventDefault();
    if (!reason.trim()) return;
    onClose();
    void closeWithout(session, verb, reason.trim());
  };
  return (
    <Dialog title={TITLES[verb]} testid={`${verb}-dialog`} onClose={onClose}>
      <form onSubmit={send}>
        <div class="choices">
          {REASONS[verb].map((choice) => (
            <label key={choice}>
              <input type="radio" name="reason" checked={reason === choice} onChange={() => setReason(choice)} />
              {choice}
            </label>
          ))}
        </div>
        <label class="field">
          Reason
          <input type="text" value={reason} maxLength={200} data-testid="reason" autofocus onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        {standing && (verb === "flag" || session.opened.assignment.queried_label === null) && (
          <p class="banner" data-testid="withdraws">
            This withdraws the {signed(standing)}: it leaves training, evaluation and export, and stays in the history. A new annotation brings the case back.
          </p>
        )}
        <p class="hint">What you drew so far is kept; the case can be opened again from the worklist.</p>
        <div class="row-end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!reason.trim()} data-testid={`${verb}-confirm`}>
            {verb === "skip" ? "Skip" : "Flag"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What models are measured against, or what somebody else brought, is replaced only after two questions; Enter keeps it. */
export function ReplaceDialog({ session }: { session: CaseSession }) {
  const [again, setAgain] = useState(false);
  const kept = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => void (again && kept.current?.focus()), [again]); // the key that answered the first question must not answer the second
  const message = session.replacing.value;
  if (message === null) return null;
  const { evaluation } = session.opened.assignment;
  const close = (): void => {
    setAgain(false);
    session.replacing.value = null;
  };
  const replace = (event: MouseEvent): void => {
    if (event.detail > 1) return; // a double click answers one question, not both
    if (!again) return setAgain(true);
    close();
    void submitSession(session, true);
  };
  return (
    <Dialog title={evaluation ? "Models are evaluated on this case" : "This case has another annotation"} testid="replace-dialog" onClose={close}>
      <p>{message}.</p>
      {evaluation && <p class="hint">Replacing it changes what every model is measured against.</p>}
      {again && <p class="banner">Is your annotation right where the other one is wrong?</p>}
      <div class="row-end">
        <button onClick={replace} data-testid={again ? "replace-again" : "replace"}>
          {again ? "Yes, replace it" : "Replace it"}
        </button>
        <button ref={kept} class="primary" autofocus onClick={close} data-testid="replace-keep">
          Keep the annotation in force
        </button>
      </div>
    </Dialog>
  );
}

export function ConflictDialog({ session }: { session: CaseSession }) {
  const conflict = session.conflict.value;
  const draft = session.draft.value;
  if (!conflict || !draft) return null;
  const count = conflict.patches.length;
  const savedText = conflict.saved ? annotatedText(session.labels, conflict.saved.annotated) : "";
  return (
    <Dialog title={conflict.title} testid="conflict-dialog" onClose={null}>
      <p>{conflict.message}.</p>
      {savedText && <p class="hint">{`What is saved there: ${savedText}.`}</p>}
      {conflict.remedy && <p class="hint">{conflict.remedy}</p>}
      <p>{count === 1 ? "One edit of yours is" : `${count} edits of yours are`} not saved yet. Nothing is lost until you choose.</p>
      <div class="row-end">
        <button onClick={() => takeSaved(session, draft, conflict)} data-testid="conflict-reload">
          Drop my {count === 1 ? "edit" : `${count} edits`}
        </button>
        <button class="primary" autofocus onClick={() => takeOnTop(session, draft, conflict)} data-testid="conflict-keep">
          Put my {count === 1 ? "edit" : `${count} edits`} on top
        </button>
      </div>
    </Dialog>
  );
}
