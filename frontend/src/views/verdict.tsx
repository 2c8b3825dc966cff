/** A reviewer's verdicts on what stands: approve, signed or not; return with a comment; or draw the decision. */
import { useEffect, useState } from "preact/hooks";
import * as calls from "../api/calls";
import { hasAccounts, may, me } from "../api/me";
import { isSameName, typedName } from "../api/person";
import type { Meaning } from "../api/types";
import type { Comparison } from "../state/comparing";
import { tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { CommentField, Refused } from "./adjudication";
import { Allowed, Key } from "./controls";
import { Dialog } from "./dialog";

export type Asked = "approve" | "return" | "history" | { replay: string } | null;

export function Verdicts({ found, open }: { found: Comparison; open: (asked: Asked) => void }) {
  const { progress } = found.readings.value;
  const waiting = progress.state === "read" ? `This case is ${progress.words}: it waits for readings or their consensus` : "";
  const blocked = found.busy.value || found.rulings.value.length > 0;
  return (
    <div class="verbs">
      <Allowed verb="sign" project={found.project.id}>
        <button
          class="primary submit"
          disabled={blocked || waiting !== "" || found.standing === null}
          title={waiting || (blocked ? "Accept or discard the adjudication first" : "")}
          data-testid="approve"
          onClick={() => open("approve")}
        >
          Approve <Key of="compare-approve" />
        </button>
      </Allowed>
      <Allowed verb="review" project={found.project.id}>
        <button disabled={blocked || found.standing === null} data-testid="return" onClick={() => open("return")}>
          Return <Key of="compare-return" />
        </button>
        {found.standing !== null && (
          <a class="button" href={linkTo.edit(found.project.id, found.caseId)} data-testid="edit">
            Edit <Key of="compare-edit" />
          </a>
        )}
      </Allowed>
    </div>
  );
}

const MEANINGS: [Meaning, string][] = [
  ["approval", "Approval"],
  ["review", "Review"],
  ["responsibility", "Responsibility"],
  ["authorship", "Authorship"],
];

interface DialogProps {
  found: Comparison;
  onClose: () => void;
}

export function ApproveDialog({ found, onClose }: DialogProps) {
  const account = hasAccounts() ? (me.value?.name ?? "") : "";
  const [signs, setSigns] = useState(false);
  const [name, setName] = useState(account || (typedName.value === "local" ? "" : typedName.value));
  const [meaning, setMeaning] = useState<Meaning>("approval");
  const send = (event: Event): void => {
    event.preventDefault();
    const signed_as = signs ? name.trim() : "";
    const words = signed_as ? `Approved and signed by ${signed_as} (${meaning}).` : "Approved.";
    void found
      .act(
        () => calls.approve(found.project.id, found.caseId, { comment: found.comment.value, signed_as, meaning, effort: found.effort, ...found.looked }),
        words,
      )
      .then((done) => done && onClose());
  };
  return (
    <Dialog title="Approve what stands" testid="approve-dialog" onClose={onClose}>
      <form onSubmit={send}>
        <CommentField found={found} label="Comment" testid="approve-comment" autofocus />
        <label class="toggle">
          <input type="checkbox" checked={signs} data-testid="sign" onChange={(event) => setSigns(event.currentTarget.checked)} />
          <span>Sign electronically</span>
        </label>
        {signs && (
          <>
            <label class="field">
              Printed name
              <input
                type="text"
                dir="auto"
                required
                value={name}
                readOnly={account !== ""}
                maxLength={200}
                data-testid="signed-as"
                onInput={(event) => setName(event.currentTarget.value)}
              />
            </label>
            <label class="field">
              Meaning
              <select value={meaning} data-testid="meaning" onChange={(event) => setMeaning(event.currentTarget.value as Meaning)}>
                {MEANINGS.map(([value, word]) => (
                  <option key={value} value={value}>
                    {word}
                  </option>
                ))}
              </select>
            </label>
            <p class="hint">Name, time and meaning are kept with the approval and shown with it.</p>
          </>
        )}
        <Refused found={found} />
        <div class="row-end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={found.busy.value} data-testid="approve-confirm">
            {signs ? "Sign and approve" : "Approve"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ReturnDialog({ found, onClose }: DialogProps) {
  const { readers, standing } = found;
  const [of, setOf] = useState((readers.find((one) => one === standing) ?? readers.at(-1))?.annotation_id ?? "");
  const author = found.nameOf(of);
  const [chosen, setChosen] = useState<string | null>(null);
  const [people, setPeople] = useState<readonly string[]>([]);
  const here = people.find((name) => isSameName(name, author));
  const gone = people.length > 0 && here === undefined;
  const to = chosen ?? (gone ? people[0]! : (here ?? author));
  useEffect(() => void calls.listAnnotatorsHere(found.project.id).then(setPeople).catch(tellError), [found]);
  const send = (event: Event): void => {
    event.preventDefault();
    const body = { ...found.looked, comment: found.comment.value.trim(), to, annotation_id: of || null, effort: found.effort };
    void found.act(() => calls.returnCase(found.project.id, found.caseId, body), `Returned to ${to}: ${body.comment}`).then((done) => done && onClose());
  };
  return (
    <Dialog title="Return this case" testid="return-dialog" onClose={onClose}>
      <form onSubmit={send}>
        <label class="field">
          Reading
          <select value={of} data-testid="return-of" onChange={(event) => setOf(event.currentTarget.value)}>
            {readers.map(({ annotation_id: id, annotator }) => (
              <option key={id} value={id}>
                {annotator}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          To
          <select value={to} data-testid="return-to" onChange={(event) => setChosen(event.currentTarget.value)}>
            {[...new Set([here ?? author, ...people])].map((name) => (
              <option key={name} value={name} disabled={gone && name === author}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <CommentField found={found} label="What to correct" testid="return-comment" required autofocus />
        <p class="hint">
          {gone && (
            <>
              <bdi>{author}</bdi> no longer annotates here.{" "}
            </>
          )}
          {isSameName(to, author) ? (
            "It comes next to them, with the comment."
          ) : (
            <>
              It comes next to <bdi>{to}</bdi>, whose annotation takes the place of <bdi>{author}</bdi>’s.
            </>
          )}
        </p>
        <Refused found={found} />
        <div class="row-end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={found.busy.value || !found.comment.value.trim()} data-testid="return-confirm">
            Return
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Which verdicts somebody may give here, for the keys. */
export const mayDecide = (found: Comparison): boolean => may("review", found.project.id);
