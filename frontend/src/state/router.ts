/**
 * Addresses: `#/`, `#/people`, `#/account`, `#/p/ID/people`, `#/p/ID?FILTERS`, `#/p/ID/grid?FILTERS`, `#/p/ID/progress`, `#/p/ID/settings`, `#/p/ID/next`, `#/p/ID/case/ID`,
 * `#/p/ID/review`, `#/p/ID/review/ID`, `#/p/ID/review/ID/edit`, `#/p/ID/team`,
 * `#/p/ID/archive`, `#/p/ID/acquisition`, `#/p/ID/map`.
 */
import { signal } from "@preact/signals";

export type Route =
  | { view: "projects" | "everybody" | "account" }
  | { view: "worklist" | "grid"; project: string; query: string }
  | { view: "progress"; project: string }
  | { view: "settings"; project: string }
  | { view: "people"; project: string }
  | { view: "review"; project: string }
  | { view: "team"; project: string }
  | { view: "archive" | "acquisition" | "map"; project: string }
  | { view: "readings"; project: string; caseId: string }
  | { view: "edit"; project: string; caseId: string }
  | { view: "annotate"; project: string; caseId: string | null };

export const route = signal<Route>(parse(globalThis.location?.hash ?? ""));

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?");
  const [p, project, view, id, verb] = path.split("/").map(decoded);
  if (p === "people") return { view: "everybody" };
  if (p === "account") return { view: "account" };
  if (p !== "p" || !project) return { view: "projects" };
  if (view === "progress") return { view: "progress", project };
  if (view === "settings") return { view: "settings", project };
  if (view === "people") return { view: "people", project };
  if (view === "archive" || view === "acquisition" || view === "map") return { view, project };
  if (view === "team") return { view: "team", project };
  if (view === "review" && id) return { view: verb === "edit" ? "edit" : "readings", project, caseId: id };
  if (view === "review") return { view: "review", project };
  if (view === "next") return { view: "annotate", project, caseId: null };
  if (view === "case" && id) return { view: "annotate", project, caseId: id };
  return { view: view === "grid" ? "grid" : "worklist", project, query };
}

/** An address is typed and cut by mail programs: what is no code stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const linkTo = {
  projects: (): string => "#/",
  everybody: (): string => "#/people",
  account: (): string => "#/account",
  people: (project: string): string => `#/p/${encodeURIComponent(project)}/people`,
  worklist: (project: string, query = ""): string => `#/p/${encodeURIComponent(project)}${query && `?${query}`}`,
  grid: (project: string, query = ""): string => `#/p/${encodeURIComponent(project)}/grid${query && `?${query}`}`,
  archive: (project: string): string => `#/p/${encodeURIComponent(project)}/archive`,
  acquisition: (project: string): string => `#/p/${encodeURIComponent(project)}/acquisition`,
  map: (project: string): string => `#/p/${encodeURIComponent(project)}/map`,
  progress: (project: string): string => `#/p/${encodeURIComponent(project)}/progress`,
  settings: (project: string): string => `#/p/${encodeURIComponent(project)}/settings`,
  review: (project: string): string => `#/p/${encodeURIComponent(project)}/review`,
  team: (project: string): string => `#/p/${encodeURIComponent(project)}/team`,
  readings: (project: string, id: string): string => `${linkTo.review(project)}/${encodeURIComponent(id)}`,
  edit: (project: string, id: string): string => `${linkTo.readings(project, id)}/edit`,
  next: (project: string): string => `#/p/${encodeURIComponent(project)}/next`,
  case: (project: string, id: string): string => `#/p/${encodeURIComponent(project)}/case/${encodeURIComponent(id)}`,
};

/** The project of an address, if it names one. */
export const projectOf = (here: Route): string | null => ("project" in here ? here.project : null);

export function go(hash: string): void {
  if (location.hash === hash) route.value = parse(hash);
  else location.hash = hash;
}

/** Show another address for what is already on the screen. */
export function rename(hash: string, how: "push" | "replace"): void {
  if (location.hash === hash) return;
  if (how === "push") history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}

export function followAddress(): void {
  window.addEventListener("hashchange", () => {
    route.value = parse(location.hash);
  });
}
