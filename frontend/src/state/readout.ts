/** What stands at a voxel, in words: its indices, the value in its unit, the place in the patient, the label. */
import type { CaseHeader, Triple } from "../api/types";
import { flatIndex } from "../geometry/plane";
import type { ChannelView } from "../render/slice";
import { type Volume, valueAt } from "../volume/volume";
import type { CaseSession } from "./session";

export interface Readout {
  voxel: string;
  value: string;
  /** "" where the directions or the size of voxels are not known. */
  place: string;
  label: string;
}

export function readoutAt({ header, volume, channel, draft, labels }: CaseSession, voxel: Triple): Readout {
  const value = draft.value?.mask[flatIndex(header.shape, voxel)] ?? 0;
  return {
    voxel: `(${(header.shape[2] === 1 ? voxel.slice(0, 2) : voxel).join(", ")})`,
    value: valueText(volume.value, channel.value, voxel, header.unit),
    place: placeText(header, voxel),
    label: labels.find((label) => label.value === value)?.name ?? "",
  };
}

export const lineOf = ({ voxel, value, place, label }: Readout): string => [voxel, value, place, label].filter(Boolean).join("   ");

export function valueText(volume: Volume | null, view: ChannelView, voxel: Triple, unit: string): string {
  const values = (view === "rgb" ? [0, 1, 2] : [view]).map((channel) => (volume ? valueAt(volume, channel, voxel) : Number.NaN));
  if (values.some(Number.isNaN)) return "not loaded";
  return `${values.map(short).join(" ")}${unit && ` ${unit}`}`;
}

const ENDS = ["RL", "AP", "SI"] as const;

/** The voxel's centre from the scanner's origin, with the direction in front: "R 12.3  A 4.0  S 33.1 mm". */
export function placeText({ affine, oriented, sized }: Pick<CaseHeader, "affine" | "oriented" | "sized">, voxel: Triple): string {
  if (!oriented || !sized) return "";
  const parts = ENDS.map((ends, axis) => {
    const row = affine[axis]!;
    const mm = row[0]! * voxel[0] + row[1]! * voxel[1] + row[2]! * voxel[2] + row[3]!;
    return `${ends[mm < 0 ? 1 : 0]} ${Math.abs(mm).toFixed(1)}`;
  });
  return `${parts.join("  ")} mm`;
}

/** Whole numbers as they are; others with three digits that count. */
export function short(value: number): string {
  return Number.isInteger(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
