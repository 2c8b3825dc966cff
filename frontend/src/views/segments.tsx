/** The table of segments: choose, colour, show, lock, and how large each one is. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Label } from "../api/types";
import { innerOf } from "../edits/nested";
import { choosesLabels, toggleAnnotated } from "../state/annotated";
import { labelSearch } from "../state/display";
import { mayRecolour, recolour } from "../state/labelling";
import { shareText, sizeText, toggled } from "../state/segments";
import type { CaseSession } from "../state/session";
import { chooseLabel, MOST_BY_KEY } from "../tools/keyactions";
import { type ActionId, withKey } from "../tools/keytables";
import { useOneStop } from "./buttonrow";
import { Swatch } from "./controls";
import { Icon, type IconName } from "./icons";

export function SegmentTable({ session }: { session: CaseSession }) {
  const [wanted, setWanted] = useState("");
  const table = useOneStop<HTMLTableElement>();
  const found = session.labels.filter(({ name }) => name.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()));
  return (
    <section class="block">
      <h3>
        Segments <Counted session={session} />
      </h3>
      {session.labels.length > MOST_BY_KEY && <Search wanted={wanted} onWanted={setWanted} onFirst={() => found[0] && chooseLabel(session, found[0].value)} />}
      <div class="segments-scroll">
        <table ref={table} class="segments" aria-label="Segments">
          <tbody>
            {found.map((label) => (
              <Row key={label.value} session={session} label={label} />
            ))}
          </tbody>
        </table>
      </div>
      {found.length === 0 && <p class="hint">No label has “{wanted}” in its name.</p>}
    </section>
  );
}

/** What a reader must not forget. */
function Counted({ session }: { session: CaseSession }) {
  const count = (values: ReadonlySet<number>): number => session.labels.filter(({ value }) => values.has(value)).length;
  const [locked, hidden] = [count(session.locked.value), count(session.hidden.value)];
  const words = [locked > 0 && `${locked} locked`, hidden > 0 && `${hidden} hidden`].filter(Boolean).join(", ");
  return words ? (
    <span class="faint" data-testid="segments-said">
      {words}
    </span>
  ) : null;
}

function Search({ wanted, onWanted, onFirst }: { wanted: string; onWanted: (text: string) => void; onFirst: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const asked = labelSearch.value;
  const seen = useRef(asked);
  useLayoutEffect(() => {
    if (asked !== seen.current) field.current?.focus();
    seen.current = asked;
  }, [asked]); // at once: the digits typed next are a name, and must not choose labels
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") onFirst();
    onWanted("");
    field.current?.blur();
  };
  return (
    <input
      ref={field}
      type="search"
      class="segment-search"
      value={wanted}
      placeholder={withKey("Search the labels", "search-labels")}
      aria-label="Search the labels; Enter takes the first one"
      data-testid="label-search"
      onInput={(event) => onWanted(event.currentTarget.value)}
      onKeyDown={onKey}
    />
  );
}

function Row({ session, label }: { session: CaseSession; label: Label }) {
  const { value, name } = label;
  const place = session.labels.findIndex((one) => one.value === value);
  const chosen = session.label.value === value;
  const [hidden, locked] = [session.hidden.value.has(value), session.locked.value.has(value)];
  const away = !session.annotated.value.has(value);
  const draft = session.draft.value;
  draft?.changes.value;
  const voxels = [value, ...innerOf(session.project.labels, value)].reduce((sum, one) => sum + (draft?.counts.of(one) ?? 0), 0);
  return (
    <tr class={`${chosen ? "chosen" : ""}${hidden ? " not-drawn" : ""}`}>
      <td>
        <Colour session={session} label={label} />
      </td>
      <th scope="row">
        <button
          type="button"
          class="segment-name"
          aria-pressed={chosen}
          title={`Draw with ${name}${place < MOST_BY_KEY ? ` (${place + 1})` : ""}`}
          data-testid={`label-${value}`}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => chooseLabel(session, value)}
        >
          <span class="grow">{name}</span>
          {place < MOST_BY_KEY && <kbd>{place + 1}</kbd>}
        </button>
      </th>
      <td class="segment-size" data-testid={`size-${value}`} title={draft ? shareText(voxels, session.header) : ""}>
        {draft ? sizeText(voxels, session.header) : "…"}
      </td>
      <td>
        <Switch
          icon={hidden ? "shut" : "eye"}
          on={hidden}
          name={`Hide ${name}`}
          action={chosen ? "hide-label" : undefined}
          testid={`hide-${value}`}
          onPress={() => (session.hidden.value = toggled(session.hidden.value, value))}
        />
      </td>
      <td>
        <Switch
          icon={locked ? "locked" : "open"}
          on={locked}
          name={`Lock ${name}: no tool changes its voxels`}
          action={chosen ? "lock" : undefined}
          testid={`lock-${value}`}
          onPress={() => session.toggleLock(value)}
        />
      </td>
      {choosesLabels(session) && (
        <td>
          <Switch
            icon={away ? "close" : "check"}
            on={away}
            name={`${name} is not annotated in this case`}
            action={chosen ? "annotated" : undefined}
            testid={`annotated-${value}`}
            onPress={() => toggleAnnotated(session, value)}
          />
        </td>
      )}
    </tr>
  );
}

/** The label's colour, for everybody in the project, where one may change it. */
function Colour({ session, label: { value, name, colour } }: { session: CaseSession; label: Label }) {
  if (!mayRecolour(session)) return <Swatch colour={colour} />;
  return (
    <input
      type="color"
      class="segment-colour"
      value={colour}
      title={`Colour of ${name}, for everybody`}
      aria-label={`Colour of ${name}`}
      data-testid={`colour-${value}`}
      data-verb="decide"
      onChange={(event) => void recolour(session, value, event.currentTarget.value)}
    />
  );
}

interface SwitchProps {
  icon: IconName;
  on: boolean;
  name: string;
  action: ActionId | undefined;
  testid: string;
  onPress: () => void;
}

function Switch({ icon, on, name, action, testid, onPress }: SwitchProps) {
  return (
    <button
      type="button"
      class="segment-switch"
      aria-pressed={on}
      aria-label={name}
      title={action ? withKey(name, action) : name}
      data-testid={testid}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onPress}
    >
      <Icon name={icon} />
    </button>
  );
}
