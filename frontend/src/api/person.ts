/** Who annotates: the account, else a name typed here, in any script; it travels as a header, percent-encoded. */
import { computed } from "@preact/signals";
import { keptSignal } from "../browser/kept";
import { me } from "./me";

const LONGEST = 64;

export const typedName = keptSignal<string>("annotator", "local");
export const annotatorName = computed(() => (me.value?.accounts ? me.value.name : typedName.value));

export function rename(name: string): void {
  typedName.value = tidyName(name) || "local";
}

/** Composed characters (NFC), so that one name is one person on every system; only what shapes nothing is dropped. */
export function tidyName(name: string): string {
  const visible = name
    .normalize("NFC")
    .replace(/\s+/gu, " ")
    .replace(/(?![\u200c\u200d])\p{C}/gu, "")
    .trim();
  return [...visible].slice(0, LONGEST).join("").trim();
}

/** The name as a header may carry it. A name kept by an earlier visit is tidied on its way. */
export const nameOnTheWire = (): string => encodeURIComponent(tidyName(annotatorName.value) || "local");

/** One person on the server too: letter case and Unicode form tell nobody apart. */
export const isSameName = (one: string, other: string): boolean => foldedName(one) === foldedName(other);

const foldedName = (name: string): string => tidyName(name).toUpperCase().toLowerCase();
