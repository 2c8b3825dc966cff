/** Where a place of one series lies in another one: by the patient's millimetres, or, where these cannot be compared, by the share of slices. */
import type { CaseHeader, PlaneHeader, Triple } from "../api/types";
import { placeOf, voxelAt } from "./camera";
import { stepOfWheelDown } from "./plane";

/** What linking needs of a header. */
export type Placed = Pick<CaseHeader, "affine" | "shape" | "planes">;

/** The fractional voxel of another series at a voxel's place in the patient. */
export const linkedVoxel = (from: Placed, to: Placed, voxel: Triple): Triple => voxelAt(to.affine, placeOf(from.affine, voxel));

/** Whether a fractional voxel lies within half a voxel of a series. */
export const liesWithin = ({ shape }: Placed, voxel: Triple): boolean => voxel.every((at, axis) => at >= -0.5 && at <= shape[axis]! - 0.5);

/** The plane of a series that is drawn beside a plane: of the same name, else its first one. */
export const planeBeside = (planes: readonly PlaneHeader[], name: PlaneHeader["name"]): PlaneHeader => planes.find((one) => one.name === name) ?? planes[0]!;

/** The slice at the same share of a series, both counted towards the same side of the patient. */
export function relativeSlice(from: Placed, plane: PlaneHeader, to: Placed, beside: PlaneHeader, number: number): number {
  const [count, other] = [from.shape[plane.slice_axis]!, to.shape[beside.slice_axis]!];
  const share = count > 1 ? number / (count - 1) : 0.5;
  const turned = stepOfWheelDown(plane, from.affine) !== stepOfWheelDown(beside, to.affine);
  return Math.round((turned ? 1 - share : share) * (other - 1));
}

/** How far a fractional voxel lies from the slice drawn, in mm. */
export function offSlice({ affine }: Placed, { slice_axis }: PlaneHeader, voxel: Triple, number: number): number {
  return Math.abs(voxel[slice_axis]! - number) * Math.hypot(...[0, 1, 2].map((row) => affine[row]![slice_axis]!));
}
