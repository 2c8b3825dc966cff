/** Keys of one's own: what may be chosen, and why something may not. */
import { keysOf, prefer, preferences } from "../state/preferences";
import { chordsOf, isModifier, writtenOut } from "./keynames";
import type { KeyEntry } from "./keytable";
import { fits, isDigit, VIEWS } from "./keytables";

export const isOwn = ({ id }: KeyEntry): boolean => id in preferences.value.keys;

/** The key that a press would be kept as; null while only Shift, Ctrl or Alt is down. */
export const chordOf = (event: KeyboardEvent): string | null => (isModifier(event.key) ? null : (chordsOf(event)[0] ?? null));

/** Why a key cannot be this action's; "" when it can. */
export function refusalOfKey(entry: KeyEntry, chord: string): string {
  if (isDigit(chord)) return "Digits choose labels, classes and presets: choose another key";
  if (!fits(entry, chord)) return `“${writtenOut(chord)}” is needed by the page or the browser itself: choose another key`;
  const other = VIEWS.filter((view) => view.includes(entry))
    .flat()
    .find((one) => one !== entry && keysOf(one).includes(chord));
  return other ? `“${writtenOut(chord)}” is the key of “${other.does}”: change that one first` : "";
}

/** Take a key for an action, in place of all that it has; the reason why not, "" when it is taken. */
export function changeKey(entry: KeyEntry, chord: string): string {
  const why = refusalOfKey(entry, chord);
  if (why === "") prefer({ keys: { ...preferences.value.keys, [entry.id]: [chord] } });
  return why;
}

/** The key of the table again; refused where another action has it by now. */
export function resetKey(entry: KeyEntry): string {
  const why = entry.keys.map((key) => refusalOfKey(entry, key)).find((reason) => reason !== "") ?? "";
  const { [entry.id]: _, ...others } = preferences.value.keys;
  if (why === "") prefer({ keys: others });
  return why;
}

export const resetKeys = (): void => prefer({ keys: {} });
