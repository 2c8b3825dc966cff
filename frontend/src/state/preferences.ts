/** What people set for themselves: kept with the account where there is one, else in this browser. */
import { computed, signal } from "@preact/signals";
import { savePreferences } from "../api/calls";
import { hasAccounts, me } from "../api/me";
import type { Preferences } from "../api/types";
import { keptSignal } from "../browser/kept";
import { tellError } from "./notices";
import { type InForce, type Keyed, keysInForce } from "./ownkeys";

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

/** All actions, as the tables of keys have them; set where these are put together. */
export const keyed = signal<{ views: readonly (readonly Keyed[])[]; fits: (action: Keyed, key: string) => boolean }>({ views: [], fits: () => true });
const inForce = computed(() => keysInForce(keyed.value.views, preferences.value.keys, keyed.value.fits));

/** The keys of an action: a person's own, else those of the table, without any that another action has. */
export const keysOf = ({ id, keys }: Keyed): readonly string[] => inForce.value.get(id)?.keys ?? keys;

/** The key that accepts what a preview would do, for texts. */
export const acceptKey = (): string => inForce.value.get("submit")?.keys[0] ?? "Enter";

/** The keys that an action would have, and which action has them. */
export const lostKeysOf = ({ id }: Keyed): InForce["lost"] => inForce.value.get(id)?.lost ?? [];

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
