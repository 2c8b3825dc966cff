/** The keyboard of the list of cases, of a row in it, and of the grid of pictures. */
import type { KeyAction } from "./keytable";

export interface ListScene {
  focusSearch: () => void;
  focusRows: () => void;
  annotateNext: (() => void) | null;
}

export interface RowScene {
  open: () => void;
  step: (by: 1 | -1) => void;
  /** Null for who gives no cases to people. */
  select: ((range: boolean) => void) | null;
  clear: () => void;
}

export interface GridScene {
  /** By pictures, or by rows of them; `extend` selects on the way. */
  move: (by: number, rows: boolean, extend: boolean) => void;
  select: () => void;
  /** Null for who only looks. */
  give: ((at: number) => void) | null;
  undo: () => void;
  open: () => void;
  leave: () => void;
  classes: readonly string[];
}

// biome-ignore format: one entry per line, so that branches which add keys merge
export const LIST_KEYS = [
  { id: "list-search", group: "List", keys: ["/"], does: "Search the cases", run: ({ focusSearch }) => focusSearch() },
  { id: "list-rows", group: "List", keys: ["ArrowDown", "J"], does: "To the first case in view", run: ({ focusRows }) => focusRows() },
  { id: "list-next", group: "List", keys: ["Enter"], does: "Annotate the next case", on: ({ annotateNext }) => annotateNext !== null, run: ({ annotateNext }) => annotateNext?.() },
] as const satisfies readonly KeyAction<ListScene>[];

// biome-ignore format: one entry per line, so that branches which add keys merge
export const ROW_KEYS = [
  { id: "row-next", group: "List", keys: ["J", "ArrowDown"], does: "Next case of the list", held: true, run: ({ step }) => step(1) },
  { id: "row-back", group: "List", keys: ["K", "ArrowUp"], does: "Previous case of the list", held: true, run: ({ step }) => step(-1) },
  { id: "row-open", group: "List", keys: ["Enter"], does: "Open the case in focus", run: ({ open }) => open() },
  { id: "row-select", group: "List", keys: ["X"], does: "Select the case in focus", on: ({ select }) => select !== null, run: ({ select }) => select?.(false) },
  { id: "row-range", group: "List", keys: ["Shift+X"], does: "Select all cases up to the one in focus", on: ({ select }) => select !== null, run: ({ select }) => select?.(true) },
  { id: "row-clear", group: "List", keys: ["Escape"], does: "Select nothing", run: ({ clear }) => clear() },
] as const satisfies readonly KeyAction<RowScene>[];

// biome-ignore format: one entry per line, so that branches which add keys merge
export const GRID_KEYS = [
  { id: "grid-class", group: "List", keys: ["1…9"], does: "In the grid: class the selected pictures, else the current one", for: "classification", on: ({ give }) => give !== null, each: ({ classes }) => classes, run: ({ give }, at) => give?.(at) },
  { id: "grid-next", group: "List", keys: ["ArrowRight", "J"], does: "In the grid: next picture", for: "classification", held: true, run: ({ move }) => move(1, false, false) },
  { id: "grid-back", group: "List", keys: ["ArrowLeft", "K"], does: "In the grid: previous picture", for: "classification", held: true, run: ({ move }) => move(-1, false, false) },
  { id: "grid-down", group: "List", keys: ["ArrowDown"], does: "In the grid: next row", for: "classification", held: true, run: ({ move }) => move(1, true, false) },
  { id: "grid-up", group: "List", keys: ["ArrowUp"], does: "In the grid: previous row", for: "classification", held: true, run: ({ move }) => move(-1, true, false) },
  { id: "grid-select-next", group: "List", keys: ["Shift+ArrowRight"], does: "In the grid: select on to the next picture", for: "classification", held: true, run: ({ move }) => move(1, false, true) },
  { id: "grid-select-back", group: "List", keys: ["Shift+ArrowLeft"], does: "In the grid: select back to the previous picture", for: "classification", held: true, run: ({ move }) => move(-1, false, true) },
  { id: "grid-select", group: "List", keys: ["X"], does: "In the grid: select the current picture, or no longer", for: "classification", run: ({ select }) => select() },
  { id: "grid-undo", group: "List", keys: ["Ctrl+Z", "Backspace"], does: "In the grid: take back what the last key gave", for: "classification", on: ({ give }) => give !== null, run: ({ undo }) => undo() },
  { id: "grid-open", group: "List", keys: ["Enter"], does: "In the grid: open the current picture by itself", for: "classification", run: ({ open }) => open() },
  { id: "grid-leave", group: "List", keys: ["Escape"], does: "In the grid: select nothing; back to the list", for: "classification", run: ({ leave }) => leave() },
] as const satisfies readonly KeyAction<GridScene>[];
