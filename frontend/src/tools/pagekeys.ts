/** Keys that work in every view. */
import { helpShown, paletteShown } from "../state/display";
import { beginIntroduction } from "../state/introduction";
import { go, linkTo, projectOf, route } from "../state/router";
import { nextTheme } from "../state/theme";
import { flip } from "./keyactions";
import type { KeyAction } from "./keytable";

/** Where the page is: the project of the address, if any. */
export type PageScene = Record<string, never>;

const inProject = (): boolean => projectOf(route.value) !== null;
const here = (): string => projectOf(route.value)!;

// biome-ignore format: one entry per line, so that branches which add keys merge
export const PAGE_KEYS = [
  { id: "palette", group: "Page", keys: ["Ctrl+K"], does: "Find an action by words", run: () => flip(paletteShown) },
  { id: "help", group: "Page", keys: ["?"], does: "This overview", run: () => flip(helpShown) },
  { id: "introduction", group: "Page", keys: [], does: "Show the introduction beside the case", run: () => beginIntroduction() },
  { id: "go-cases", group: "Page", keys: [], does: "Go to the list of cases", on: inProject, run: () => go(linkTo.worklist(here())) },
  { id: "go-next", group: "Page", keys: [], does: "Go on annotating: the next case", on: inProject, run: () => go(linkTo.next(here())) },
  { id: "go-progress", group: "Page", keys: [], does: "Go to the progress", on: inProject, run: () => go(linkTo.progress(here())) },
  { id: "go-projects", group: "Page", keys: [], does: "Go to all projects", run: () => go(linkTo.projects()) },
  { id: "theme", group: "Page", keys: [], does: "Light or dark", run: () => nextTheme() },
] as const satisfies readonly KeyAction<PageScene>[];
