/** The keys that a person chose in place of those of the table. */
import { signal } from "@preact/signals";

/** By the action's id. */
export const ownKeys = signal<Readonly<Record<string, readonly string[]>>>({});

export const keysOf = ({ id, keys }: { id: string; keys: readonly string[] }): readonly string[] => ownKeys.value[id] ?? keys;
