/** Three ways to smooth a label; how far is said in millimetres, so that thick slices are smoothed less across than along. */
import type { Triple } from "../api/types";
import { strides } from "../geometry/plane";
import { bySlabs, dilated, eroded } from "./distance";

export type Smoothing = "median" | "gaussian" | "open-close";

/** `mm`: radius of the ball, or the standard deviation of the Gaussian. */
export function smoothed(inside: Uint8Array, shape: Triple, spacing: Triple, how: Smoothing, mm: number): Uint8Array {
  if (how === "median") return bySlabs(inside, shape, Math.floor(mm / spacing[2]), (part, size) => majority(part, size, spacing, mm));
  if (how === "gaussian") return bySlabs(inside, shape, Math.ceil((WIDE * mm) / spacing[2]), (part, size) => blurred(part, size, spacing, mm));
  const opened = dilated(eroded(inside, shape, spacing, mm), shape, spacing, mm);
  return eroded(dilated(opened, shape, spacing, mm), shape, spacing, mm);
}

/** More than half of a ball around each voxel, as far as it lies in the image; of a tie the voxel stays as it is. */
function majority(inside: Uint8Array, shape: Triple, spacing: Triple, mm: number): Uint8Array {
  const [balance, result] = [new Int32Array(inside.length), new Uint8Array(inside.length)];
  const [ri, rj, rk] = spacing.map((step) => Math.floor(mm / step)) as Triple;
  const [ni, nj, nk] = shape;
  const sums = new Int32Array(ni + 1);
  for (let k = 0; k < nk; k++) {
    for (let j = 0; j < nj; j++) {
      const from = ni * (j + nj * k);
      for (let i = 0; i < ni; i++) sums[i + 1] = sums[i]! + (inside[from + i] ? 1 : -1);
      for (let dk = -Math.min(rk, k); dk <= rk && k + dk < nk; dk++) {
        for (let dj = -Math.min(rj, j); dj <= rj && j + dj < nj; dj++) {
          const left = mm * mm * (1 + 1e-9) - (dj * spacing[1]) ** 2 - (dk * spacing[2]) ** 2;
          if (left < 0) continue;
          const reach = Math.min(ri, Math.floor(Math.sqrt(left) / spacing[0]));
          const to = from + ni * (dj + nj * dk);
          for (let i = 0; i < ni; i++) balance[to + i]! += sums[Math.min(ni, i + reach + 1)]! - sums[Math.max(0, i - reach)]!;
        }
      }
    }
  }
  for (let n = 0; n < result.length; n++) result[n] = balance[n]! > 0 || (balance[n] === 0 && inside[n]) ? 1 : 0;
  return result;
}

/** Standard deviations to which a Gaussian is followed. */
const WIDE = 3;

/** At least half after a Gaussian that counts what lies in the image only; the image's border eats nothing. */
function blurred(inside: Uint8Array, shape: Triple, spacing: Triple, sigmaMm: number): Uint8Array {
  const field = blur(Float32Array.from(inside), shape, spacing, sigmaMm);
  return Uint8Array.from(field, (share) => (share >= 0.5 - 1e-6 ? 1 : 0));
}

/** A field after a Gaussian, in its own place. */
export function blur(field: Float32Array, shape: Triple, spacing: Triple, sigmaMm: number): Float32Array {
  const step = strides(shape);
  for (let axis = 0; axis < 3; axis++) {
    const sigma = sigmaMm / spacing[axis]!;
    const [count, stride, reach] = [shape[axis]!, step[axis]!, Math.ceil(WIDE * sigma)];
    if (count === 1 || sigma < 1e-3) continue;
    const weights = Float64Array.from({ length: reach + 1 }, (_, n) => Math.exp(-0.5 * (n / sigma) ** 2));
    const line = new Float64Array(count);
    for (let start = 0; start < field.length; start++) {
      if (Math.floor(start / stride) % count !== 0) {
        start += stride * (count - 1) - 1; // on to the next lines along this axis
        continue;
      }
      for (let n = 0; n < count; n++) line[n] = field[start + n * stride]!;
      for (let n = 0; n < count; n++) {
        let [sum, total] = [0, 0];
        for (let m = Math.max(0, n - reach); m <= Math.min(count - 1, n + reach); m++) {
          const weight = weights[Math.abs(m - n)]!;
          sum += weight * line[m]!;
          total += weight;
        }
        field[start + n * stride] = sum / total;
      }
    }
  }
  return field;
}
