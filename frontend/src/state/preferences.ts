/** What people set for themselves: kept with the account where there is one, else in this browser. */
import { computed } from "@preact/signals";
import { savePreferences } from "../api/calls";
import { hasAccounts, me } from "../api/me";
import type { Preferences } from "../api/types";
import { keptSignal } from "../browser/kept";
import { tellError } from "./notices";

const NONE: Preferences = { keys: {}, introduced: false };

/** As JSON. */
const inBrowser = keptSignal<string>("preferences", "{}");

export const preferences = computed<Preferences>(() => (hasAccounts() ? me.value!.preferences : read(inBrowser.value)));

export function prefer(change: Partial<Preferences>): void {
  const wanted = { ...preferences.value, ...change };
  if (!hasAccounts()) {
    inBrowser.value = JSON.stringify(wanted);
    return;
  }
  me.value = { ...me.value!, preferences: wanted };
  savePreferences(wanted).catch(tellError);
}

/** The keys of an action: a person's own, else those of the table. */
export const keysOf = ({ id, keys }: { id: string; keys: readonly string[] }): readonly string[] => preferences.value.keys[id] ?? keys;

/** What stands in a browser may be of another version, or damaged. */
function read(text: string): Preferences {
  try {
    const { keys, introduced } = JSON.parse(text) as Partial<Preferences>;
    const good = Object.entries(keys ?? {}).filter(([, own]) => Array.isArray(own) && own.every((key) => typeof key === "string"));
    return { keys: Object.fromEntries(good), introduced: introduced === true };
  } catch {
    return NONE;
  }
}
