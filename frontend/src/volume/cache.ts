/** Cases fetched before they are asked for, so that the next one is on the screen at once. */
import * as calls from "../api/calls";
import type { CaseHeader } from "../api/types";
import { voxelCount } from "../geometry/plane";
import { receiveMask, receiveVolume } from "./download";
import { bytesOf, type Volume } from "./volume";

export interface CaseArrays {
  volume: Promise<Volume>;
  /** Null when the model said nothing about it. */
  proposal: Promise<Uint8Array | null>;
  uncertainty: Promise<Uint8Array | null>;
  header: CaseHeader;
  predictionId: string | null;
}

/** Cases held at once: the one shown, the next one, the last one (for going back). */
const MOST_CASES = 3;
const LONG_BYTES = 32_000_000;
const held = new Map<string, CaseArrays>();
const keyOf = (project: string, caseId: string): string => `${project}/${caseId}`;

/** The arrays of a case, from memory or from the server. `onPart` sees a volume grow, when it is not there yet. */
export function arraysOf(
  project: string,
  header: CaseHeader,
  predictionId: string | null,
  withMasks: boolean,
  onPart: (volume: Volume) => void = () => undefined,
): CaseArrays {
  const key = keyOf(project, header.id);
  const known = held.get(key);
  const volume = known?.volume ?? calls.readVoxels(project, header.id).then((response) => receiveVolume(response, header, onPart));
  // A long volume has the line for itself first: an image without masks is of use, masks without an image are not.
  const turn = bytesOf(header) > LONG_BYTES ? volume.then(nothing, nothing) : Promise.resolve();
  const masks = known && known.predictionId === predictionId ? known : predictedArrays(project, header, withMasks ? predictionId : null, turn);
  const arrays: CaseArrays = { volume, proposal: masks.proposal, uncertainty: masks.uncertainty, header, predictionId };
  held.delete(key);
  held.set(key, arrays);
  for (const oldest of [...held.keys()].slice(0, -MOST_CASES)) held.delete(oldest);
  volume.catch(() => held.delete(key));
  return arrays;
}

function predictedArrays(project: string, header: CaseHeader, predictionId: string | null, turn: Promise<void>): Pick<CaseArrays, "proposal" | "uncertainty"> {
  if (predictionId === null) return { proposal: Promise.resolve(null), uncertainty: Promise.resolve(null) };
  const fetchMap = (read: typeof calls.readUncertainty): Promise<Uint8Array | null> =>
    turn
      .then(() => read(project, predictionId))
      .then((response) => receiveMask(response, voxelCount(header.shape)))
      // A prediction without that map (404) is drawn without it; the image matters more.
      .catch(() => null);
  return { proposal: fetchMap(calls.readPredictionMask), uncertainty: fetchMap(calls.readUncertainty) };
}

function nothing(): void {
  // Only the order of things matters.
}

/** Fetch what `/upcoming` promises; failures are silent, the case is then fetched when it opens. */
export async function prefetchUpcoming(project: string, withMasks: boolean): Promise<string | null> {
  const { case_id, prediction_id } = await calls.readUpcoming(project);
  if (case_id === null || held.has(keyOf(project, case_id))) return case_id;
  const header = await calls.readCase(project, case_id);
  const arrays = arraysOf(project, header, prediction_id, withMasks);
  await Promise.all([arrays.volume, arrays.proposal, arrays.uncertainty]);
  return case_id;
}
