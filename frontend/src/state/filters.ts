/**
 * What the worklist shows and in which order, as the part of the address behind “?”; kept per project while this window lives, so that
 * coming back from a case changes nothing.
 */
import type { CaseState, Label, ReadingFilter } from "../api/types";

export const SORTS = ["name", "patient", "split", "state", "annotations", "quality", "uncertainty", "assignee", "updated", "round", "domain"] as const;
export const STATES = ["all", "unlabelled", "annotated", "skipped", "flagged"] as const satisfies readonly CaseState[];
export const READINGS = ["any", "read", "in review", "returned", "accepted"] as const satisfies readonly ReadingFilter[];
export const GIVEN = ["", "point", "scribble", "box", "extreme_points", "superpixel", "tag", "part", "rejected"] as const;
export const DOMAINS = ["any", "compared", "outside"] as const;
export const ACQUISITIONS = ["any", "judged", "accept", "acquire again", "unknown"] as const;
export type Sort = (typeof SORTS)[number];

export interface Filters {
  state: CaseState;
  reading: ReadingFilter;
  search: string;
  assignee: string;
  sort: Sort;
  descending: boolean;
  by_round: boolean;
  /** Value of a label that annotated cases lack; "0" for any of them, "" for whatever cases. */
  lacks: string;
  /** What cases have that is less than a whole annotation; "" for whatever cases. */
  given: (typeof GIVEN)[number];
  /** Unlabelled cases compared with those that the model in use was judged on, or unlike these. */
  domain: (typeof DOMAINS)[number];
  /** What was found of the images, where somebody looked. */
  acquisition: (typeof ACQUISITIONS)[number];
}

export const EVERYTHING: Filters = {
  state: "all",
  reading: "any",
  search: "",
  assignee: "",
  sort: "name",
  descending: false,
  by_round: false,
  lacks: "",
  given: "",
  domain: "any",
  acquisition: "any",
};

/** What an address says; what it says wrongly is as if it were not there. */
export function filtersOf(query: string): Filters {
  const said = new URLSearchParams(query);
  const one = <T extends string>(name: string, known: readonly T[], usual: T): T => known.find((word) => word === said.get(name)) ?? usual;
  return {
    state: one("state", STATES, "all"),
    reading: one("reading", READINGS, "any"),
    search: said.get("search") ?? "",
    assignee: said.get("assignee") ?? "",
    sort: one("sort", SORTS, "name"),
    descending: said.get("descending") === "true",
    by_round: said.get("by_round") === "true",
    lacks: /^\d{1,3}$/.test(said.get("lacks") ?? "") ? said.get("lacks")! : "",
    given: one("given", GIVEN, ""),
    domain: one("domain", DOMAINS, "any"),
    acquisition: one("acquisition", ACQUISITIONS, "any"),
  };
}

/** Only what is not as usual; also what the server is asked. */
export function queryOf(filters: Filters): string {
  const said = Object.entries(filters).filter(([name, value]) => value !== EVERYTHING[name as keyof Filters]);
  return new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
}

const ORDER: readonly string[] = ["sort", "descending", "by_round"];

/** What leaves cases out, in words: "lacks: liver". */
export function narrowings(filters: Filters, labels: readonly Pick<Label, "value" | "name">[]): string[] {
  const lacks = labels.find(({ value }) => String(value) === filters.lacks)?.name ?? "any label";
  const set = [...new URLSearchParams(queryOf(filters))].filter(([name]) => !ORDER.includes(name));
  return set.map(([name, value]) => `${name}: ${name === "lacks" ? lacks : value}`);
}

/** Every case, in the same order. */
export const everyCase = ({ sort, descending, by_round }: Filters): Filters => ({ ...EVERYTHING, sort, descending, by_round });

/** A press on a column's head: sorted by it, then the other way round. */
export const sortedBy = (filters: Filters, sort: Sort): Filters => ({ ...filters, sort, descending: filters.sort === sort && !filters.descending });

/** A choice of the domain: the cases least like the judged ones come first, until another column is pressed. */
export const ofDomain = (domain: Filters["domain"]): Partial<Filters> => ({ domain, sort: domain === "any" ? "name" : "domain", descending: false });

const keyOf = (project: string): string => `medloop.filters.${project}`;

export function keptFilters(project: string): Filters {
  try {
    return filtersOf(sessionStorage.getItem(keyOf(project)) ?? "");
  } catch {
    return EVERYTHING;
  }
}

export function keepFilters(project: string, filters: Filters): void {
  try {
    sessionStorage.setItem(keyOf(project), queryOf(filters));
  } catch {
    // Without storage the filters live as long as the address.
  }
}
