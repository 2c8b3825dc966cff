/** Every setting the server declares, in its groups: found by words, and marked where it is not the default. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { changeSettings } from "../api/calls";
import type { Changes, Configuration, Setting } from "../api/types";
import { changedSettings, type Group, groupsOf, leftTyped, type Typed, typedOf } from "../state/configuring";
import { tell } from "../state/notices";
import { Save, sentOnce } from "./controls";

interface ValuesProps {
  project: string;
  found: Configuration;
  onSaved: () => void;
}

export function Values({ project, found, onSaved }: ValuesProps) {
  const [typed, setTyped] = useState<ReadonlyMap<string, Typed>>(new Map());
  const [wanted, setWanted] = useState("");
  const sent = useRef<ReadonlyMap<string, Typed>>(new Map());
  useEffect(() => {
    setTyped((now) => leftTyped(now, sent.current));
    sent.current = new Map();
  }, [found]);
  const saved = (): void => {
    sent.current = typed;
    onSaved();
  };
  const changes = changedSettings(found.settings, typed);
  const changed = Object.keys(changes);
  const groups = groupsOf(found.settings, wanted);
  return (
    <form class="panel" onSubmit={(event) => save(event, changed.length > 0 ? () => changeSettings(project, changes) : null, saved)}>
      <h2>How the project works</h2>
      <label class="field">
        Find a setting
        <input
          type="search"
          value={wanted}
          data-testid="find-setting"
          onInput={(event) => setWanted(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
        />
      </label>
      {groups.map((group, n) => (
        <Part key={group.title} group={group} open={wanted.trim() !== "" || n === 0} changed={changed}>
          {group.settings.map((setting) => (
            <Value
              key={setting.name}
              setting={setting}
              typed={typed.get(setting.name) ?? typedOf(setting)}
              onType={(value) => setTyped(new Map(typed).set(setting.name, value))}
            />
          ))}
        </Part>
      ))}
      {groups.length === 0 && <p class="note">No setting has these words in its name or meaning.</p>}
      {changed.length > 0 && (
        <p class="hint" data-testid="changed-settings">
          Not saved yet: {changed.map(shown).join(", ")}
        </p>
      )}
      <Save changed={changed.length > 0} testid="save-settings" />
    </form>
  );
}

interface GroupProps {
  group: Group;
  open: boolean;
  changed: string[];
  children: ComponentChildren;
}

/** A group that is opened and closed, open where something in it is not the default, which its heading names. */
function Part({ group: { title, settings }, open, changed, children }: GroupProps) {
  const own = settings.filter(({ value, default: usual }) => value !== usual);
  const unsaved = settings.some(({ name }) => changed.includes(name));
  return (
    <details class="setting-group" open={open || unsaved || own.length > 0} data-testid={`settings-${title}`}>
      <summary>
        {title}
        {own.length > 0 && <span class="hint"> not the default: {own.map(({ name }) => shown(name)).join(", ")}</span>}
      </summary>
      <div class="settings">{children}</div>
    </details>
  );
}

const shown = (name: string): string => name.replaceAll("_", " ");

function Value({ setting, typed, onType }: { setting: Setting; typed: Typed; onType: (typed: Typed) => void }) {
  const { name, value, default: usual, help, low, high, choices, applies } = setting;
  const range = low !== null && high !== null ? ` ${low} to ${high}.` : "";
  const testid = `setting-${name}`;
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: each branch below is a control
    <label class={typeof typed === "boolean" ? "field field-check" : "field"}>
      <span>{shown(name)}</span>
      {typeof typed === "boolean" ? (
        <input type="checkbox" checked={typed} data-testid={testid} onChange={(event) => onType(event.currentTarget.checked)} />
      ) : choices && choices.length > 0 ? (
        <select value={typed} data-testid={testid} onChange={(event) => onType(event.currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          type="text"
          inputMode={low === null ? "text" : "decimal"}
          value={typed}
          disabled={applies === "never"}
          data-testid={testid}
          onInput={(event) => onType(event.currentTarget.value)}
        />
      )}
      <span class="hint">
        {help.replace(/\.?$/, ".")}
        {range} {value !== usual && usual !== "" && `Default: ${usual}. `}
        {applies === "never" ? "Decided when the project is made." : `Takes effect: ${applies}.`}
      </span>
    </label>
  );
}

export function save(event: Event, change: (() => Promise<Changes>) | null, onSaved: () => void): void {
  sentOnce(event, async () => {
    if (!change) return;
    const { changes } = await change();
    for (const { what, before, after, applies } of changes) tell("info", `${what}: ${before} → ${after}`, `takes effect: ${applies}`);
    onSaved();
  });
}
