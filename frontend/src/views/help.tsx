/** The keyboard overview, from the same table that the keys follow. */
import type { TaskKind } from "../api/types";
import { measures } from "../browser/measures";
import { helpShown } from "../state/display";
import type { Group, KeyEntry } from "../tools/keytable";
import { ENTRIES, howTo } from "../tools/keytables";
import { Dialog } from "./dialog";

const GROUPS: Group[] = ["Annotate", "Look", "Model", "Page", "Draw", "Review", "List"];

export function Help({ kind }: { kind: TaskKind | null }) {
  if (!helpShown.value) return null;
  const rules = ENTRIES.filter((entry: KeyEntry) => howTo(entry) && (!entry.for || !kind || entry.for === kind));
  return (
    <Dialog title="Keyboard and mouse" testid="help-dialog" wide onClose={() => (helpShown.value = false)}>
      <div class="help-columns">
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl class="key-list">
              {rules
                .filter((entry) => entry.group === group)
                .map((entry) => (
                  <div key={entry.id}>
                    <dt>{howTo(entry)}</dt>
                    <dd>{entry.does}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
      <div class="row-end">
        {measures.firstImageMs > 0 && (
          <p class="hint grow">
            Last case: first image after {Math.round(measures.firstImageMs)} ms; last stroke drawn after {Math.round(measures.lastPaintMs)} ms.
          </p>
        )}
        <button class="primary" autofocus onClick={() => (helpShown.value = false)}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
