/** The keyboard of the list of cases. */
import type { KeyAction } from "./keytable";

export interface ListScene {
  focusSearch: () => void;
  focusRows: () => void;
  annotateNext: (() => void) | null;
}

// biome-ignore format: one entry per line, so that branches which add keys merge
export const LIST_KEYS = [
  { id: "list-search", group: "List", keys: ["/"], does: "Search the cases", run: ({ focusSearch }) => focusSearch() },
  { id: "list-rows", group: "List", keys: ["ArrowDown"], does: "To the first case of the list", run: ({ focusRows }) => focusRows() },
  { id: "list-next", group: "List", keys: ["Enter"], does: "Annotate the next case", on: ({ annotateNext }) => annotateNext !== null, run: ({ annotateNext }) => annotateNext?.() },
] as const satisfies readonly KeyAction<ListScene>[];
