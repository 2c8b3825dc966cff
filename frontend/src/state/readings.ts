/** The readings of a case as the server lists them: which are people's own, and what a verdict on them rests on. */
import type { LookedAt } from "../api/calls";
import type { Reading, Readings } from "../api/types";

/** Made of readings, and none itself. */
export const isDerived = ({ origin }: Reading): boolean => origin === "consensus" || origin === "adjudicated";

/** What somebody who decides has looked at: what stands, every reading, every verdict so far. */
export function lookedAt({ readings: found, reviews }: Readings): LookedAt {
  const readings = found.filter((one) => !isDerived(one)).map(({ annotation_id: id }) => id);
  return { annotation_id: found.find(({ standing }) => standing)?.annotation_id ?? null, readings, reviews: reviews.map(({ id }) => id) };
}
