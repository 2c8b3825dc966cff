/** The readings of a case as the server lists them: which are people's own, and what a verdict on them rests on. */
import type { LookedAt } from "../api/calls";
import type { Reading } from "../api/types";

/** Made of readings, and none itself. */
export const isDerived = ({ origin }: Reading): boolean => origin === "consensus" || origin === "adjudicated";

/** What somebody who decides has looked at: what stands, and every reading. */
export function lookedAt(found: readonly Reading[]): LookedAt {
  const readings = found.filter((one) => !isDerived(one)).map(({ annotation_id: id }) => id);
  return { annotation_id: found.find(({ standing }) => standing)?.annotation_id ?? null, readings };
}
