/** The keyboard overview, from the same tables that the keys follow; keys are changed here. */
import { useState } from "preact/hooks";
import type { TaskKind } from "../api/types";
import { measures } from "../browser/measures";
import { helpShown } from "../state/display";
import { beginIntroduction } from "../state/introduction";
import { tell } from "../state/notices";
import { keysOf, lostKeysOf, preferences } from "../state/preferences";
import { changeKey, chordOf, isOwn, resetKey, resetKeys } from "../tools/keychanges";
import { writtenOut } from "../tools/keynames";
import type { Group, KeyEntry } from "../tools/keytable";
import { ENTRIES, howTo, isFixed } from "../tools/keytables";
import { Dialog } from "./dialog";

const GROUPS: Group[] = ["Annotate", "Look", "Model", "Page", "Draw", "Review", "List"];

export function Help({ kind }: { kind: TaskKind | null }) {
  return helpShown.value ? <Overview kind={kind} /> : null;
}

const close = (): void => {
  helpShown.value = false;
};

function Overview({ kind }: { kind: TaskKind | null }) {
  const [changing, setChanging] = useState(false);
  const [waiting, setWaiting] = useState("");
  const entries = ENTRIES.filter(
    (entry) => (changing ? !isFixed(entry) : howTo(entry) || lostKeysOf(entry).length > 0) && (!entry.for || !kind || entry.for === kind),
  );
  const introduce = (): void => {
    close();
    beginIntroduction();
    tell("info", "The introduction is shown beside the next case that you open, or the one on the screen");
  };
  return (
    <Dialog title={changing ? "Change keys" : "Keyboard and mouse"} testid="help-dialog" wide onClose={close}>
      {changing && <p class="hint">Choose an action, then press its new key. Esc keeps the one it has. Your keys are yours alone.</p>}
      <div class="scrolled" tabIndex={0} role="group" aria-label="Keys and what they do">
        <div class="help-columns">
          {GROUPS.map((group) => (
            <section key={group}>
              <h3>{group}</h3>
              <dl class="key-list">
                {entries
                  .filter((entry) => entry.group === group)
                  .map((entry) => (
                    <div key={entry.id}>
                      <dt>{changing ? <Change entry={entry} waits={waiting === entry.id} onWait={setWaiting} /> : howTo(entry) || "no key"}</dt>
                      <dd>
                        {entry.does}
                        <Lost entry={entry} />
                      </dd>
                    </div>
                  ))}
              </dl>
            </section>
          ))}
        </div>
      </div>
      <div class="row-end">
        {measures.firstImageMs > 0 && !changing && (
          <p class="hint grow">
            Last case: first image after {Math.round(measures.firstImageMs)} ms; last stroke drawn after {Math.round(measures.lastPaintMs)} ms.
          </p>
        )}
        {changing && Object.keys(preferences.value.keys).length > 0 && (
          <button data-testid="reset-keys" onClick={resetKeys}>
            Reset all keys
          </button>
        )}
        {!changing && (
          <button data-testid="introduce" onClick={introduce}>
            Show the introduction
          </button>
        )}
        <button data-testid="change-keys" aria-pressed={changing} onClick={() => setChanging(!changing)}>
          Change keys
        </button>
        <button class="primary" autofocus onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

/** A key that the table gives to this action, and the reader to another one. */
function Lost({ entry }: { entry: KeyEntry }) {
  return lostKeysOf(entry).map(({ key, to }) => (
    <span key={key} class="refused" data-testid={`lost-${entry.id}`}>
      {`“${writtenOut(key)}” is yours for “${ENTRIES.find(({ id }) => id === to.id)?.does}”`}
    </span>
  ));
}

interface ChangeProps {
  entry: KeyEntry;
  waits: boolean;
  onWait: (id: string) => void;
}

function Change({ entry, waits, onWait }: ChangeProps) {
  const [refused, setRefused] = useState("");
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!waits) return;
    const chord = chordOf(event);
    event.preventDefault();
    event.stopPropagation();
    if (chord === null || event.repeat) return;
    onWait("");
    setRefused(chord === "Escape" ? "" : changeKey(entry, chord));
  };
  return (
    <>
      <button
        class="small"
        aria-label={`Key of “${entry.does}”: ${keysOf(entry).map(writtenOut).join(", ") || "no key"}`}
        data-testid={`key-${entry.id}`}
        onKeyDown={onKeyDown}
        onBlur={() => waits && onWait("")}
        onClick={() => onWait(waits ? "" : entry.id)}
      >
        {waits ? "Press a key…" : keysOf(entry).map(writtenOut).join(", ") || "no key"}
      </button>
      {isOwn(entry) && !waits && (
        <button class="small quiet" data-testid={`reset-${entry.id}`} onClick={() => setRefused(resetKey(entry))}>
          Reset
        </button>
      )}
      {refused && (
        <span class="refused" role="alert">
          {refused}
        </span>
      )}
    </>
  );
}
