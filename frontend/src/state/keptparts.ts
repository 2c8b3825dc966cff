/** The slices or boxes that a reader chose to count, kept in this browser until the case is closed. */
import type { QueriedPart } from "../api/types";
import { readKept, writeKept } from "../browser/kept";

const placeOf = (project: string, assignment: string): string => `parts.${project}.${assignment}`;

/** What was chosen in this browser before the page was loaded again. */
export function keptParts(project: string, assignment: string): QueriedPart[] {
  try {
    return JSON.parse(readKept(placeOf(project, assignment), "[]")) as QueriedPart[];
  } catch {
    return [];
  }
}

export const keepParts = (project: string, assignment: string, parts: readonly QueriedPart[]): void =>
  writeKept(placeOf(project, assignment), JSON.stringify(parts));
