/** All tables of keys together: by id for tooltips and buttons, by view for the overview and for conflicts. */
import type { Keyed } from "../state/ownkeys";
import { keyed, keysOf } from "../state/preferences";
import { COMPARE_KEYS } from "./comparekeys";
import { forAria, written, writtenOut } from "./keynames";
import { CASE_KEYS } from "./keys";
import type { KeyEntry } from "./keytable";
import { GRID_KEYS, LIST_KEYS, ROW_KEYS } from "./listkeys";
import { PAGE_KEYS } from "./pagekeys";

const TABLES = [CASE_KEYS, COMPARE_KEYS, LIST_KEYS, ROW_KEYS, GRID_KEYS, PAGE_KEYS] as const;

export type ActionId = (typeof TABLES)[number][number]["id"];

/** Every action of every view, in the order of the overview. */
export const ENTRIES: readonly KeyEntry[] = TABLES.flat();
const BY_ID = new Map(ENTRIES.map((entry) => [entry.id, entry]));

/** Actions whose keys must differ, because one view has them all. */
export const VIEWS: readonly (readonly KeyEntry[])[] = [
  ...(["segmentation", "classification"] as const).map((kind) => [...CASE_KEYS, ...PAGE_KEYS].filter((entry: KeyEntry) => (entry.for ?? kind) === kind)),
  [...COMPARE_KEYS, ...CASE_KEYS.filter((entry: KeyEntry) => entry.compares), ...PAGE_KEYS],
  [...LIST_KEYS, ...PAGE_KEYS],
  [...ROW_KEYS, ...PAGE_KEYS],
  [...GRID_KEYS, ...PAGE_KEYS],
];

/** What browsers and assistive technology need themselves. */
const RESERVED = ["Tab", "Shift+Tab", "Space", "Escape", "Enter", "Ctrl+W", "Ctrl+T", "Ctrl+N", "Ctrl+Q", "Ctrl+Shift+W", "Ctrl+Shift+T", "Ctrl+Shift+N"];

/** Digits stand for places in a list, Esc for every way out, and what only the mouse does has no key. */
export const isFixed = (entry: Keyed): boolean => !("run" in entry) || entry.keys.some((key) => key.endsWith("1…9") || key === "Escape");
export const isDigit = (chord: string): boolean => /(^|\+)[1-9]$/.test(chord);

/** Whether an action can have a key at all. */
export const fits = (entry: Keyed, chord: string): boolean => !isFixed(entry) && !isDigit(chord) && (!RESERVED.includes(chord) || entry.keys.includes(chord));

keyed.value = { views: VIEWS, fits };

const firstOf = (id: ActionId): string => keysOf(BY_ID.get(id)!)[0] ?? "";

/** The key of an action as it is now: short for a button, in full for a tooltip, and for assistive technology; "" without one. */
export const shortKey = (id: ActionId): string => written(firstOf(id));
export const fullKey = (id: ActionId): string => writtenOut(firstOf(id));
export const ariaKey = (id: ActionId): string | undefined => forAria(firstOf(id)) || undefined;

/** "Brush (B)". */
export const withKey = (words: string, id: ActionId): string => (firstOf(id) ? `${words} (${fullKey(id)})` : words);

/** All keys of an action in words, the mouse first. */
export const howTo = (entry: KeyEntry): string => [entry.mouse, ...keysOf(entry).map(writtenOut)].filter(Boolean).join(", ");
