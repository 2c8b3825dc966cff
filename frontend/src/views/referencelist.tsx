/** The other series beside a case, for who may add images: which there are, one more from a file, and taking one away. */
import { useEffect, useRef, useState } from "preact/hooks";
import { addReference, readReferences, removeReference } from "../api/calls";
import type { Reference } from "../api/types";
import { tell, tellError } from "../state/notices";

const AGAIN = "open the case again to see it beside";

export function ReferenceList({ project, caseId }: { project: string; caseId: string }) {
  const [list, setList] = useState<Reference[] | null>(null);
  const [busy, setBusy] = useState(false);
  const [how, setHow] = useState({ name: "", registered: false });
  const input = useRef<HTMLInputElement>(null);
  const refresh = (): Promise<void> => readReferences(project, caseId).then(setList);
  useEffect(() => void refresh().catch(tellError), [caseId]);
  const run = (work: Promise<{ name: string }>, words: (name: string) => string): void => {
    setBusy(true);
    work
      .then(({ name }) => {
        tell("info", words(name));
        return refresh();
      })
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <details data-testid="reference-list">
      <summary>Add or remove a series</summary>
      <ul class="plain">
        {list?.map(({ id, name, position }) => (
          <li key={id} title={position}>
            <bdi>{name}</bdi>{" "}
            <button
              class="chip"
              disabled={busy}
              data-testid="reference-remove"
              aria-label={`Remove ${name}`}
              onClick={() => run(removeReference(project, caseId, id), (gone) => `${gone} was taken away`)}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      <label class="hint">
        Called{" "}
        <input
          value={how.name}
          maxLength={200}
          placeholder="as its series or file"
          data-testid="reference-name"
          onInput={(event) => setHow({ ...how, name: event.currentTarget.value })}
        />
      </label>
      <label class="hint">
        <input type="checkbox" checked={how.registered} onChange={(event) => setHow({ ...how, registered: event.currentTarget.checked })} /> registered: its
        positions are the case’s
      </label>
      <input
        ref={input}
        type="file"
        hidden
        data-testid="reference-file"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = ""; // the same file may be chosen again
          if (file) run(addReference(project, caseId, file, how), (name) => `${name} stands beside the case: ${AGAIN}`);
        }}
      />
      <button disabled={busy} data-testid="reference-add" title="One file, or a zip archive of one DICOM series" onClick={() => input.current?.click()}>
        {busy ? "Working…" : "Add a series"}
      </button>
    </details>
  );
}
