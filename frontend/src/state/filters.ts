/** What the worklist shows, per project; kept while this window lives, so that coming back from a case changes nothing. */
import type { CaseState, ReadingFilter } from "../api/types";

export interface Filters {
  state: CaseState;
  reading: ReadingFilter;
  search: string;
  offset: number;
}

const EVERYTHING: Filters = { state: "all", reading: "any", search: "", offset: 0 };
const keyOf = (project: string): string => `medloop.filters.${project}`;

export function keptFilters(project: string): Filters {
  try {
    return { ...EVERYTHING, ...(JSON.parse(sessionStorage.getItem(keyOf(project)) ?? "{}") as Partial<Filters>) };
  } catch {
    return EVERYTHING;
  }
}

export function keepFilters(project: string, filters: Filters): void {
  try {
    sessionStorage.setItem(keyOf(project), JSON.stringify(filters));
  } catch {
    // Without storage the filters live as long as the view.
  }
}

/** The part of the list to show when it became shorter meanwhile. */
export const lastOffset = (total: number, page: number): number => Math.max(0, Math.floor((total - 1) / page) * page);
