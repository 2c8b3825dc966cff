/** What the voxels of a region amount to: a preview of what the server computes and keeps. */
import type { CaseHeader, Triple } from "../api/types";
import { angleOf, lengthOf, type MeasurementKind, planeAxes, regionArea, regionTest, scaleOf } from "../geometry/measure";
import { type Volume, valueAt } from "./volume";

export interface Placed {
  kind: MeasurementKind;
  points: readonly Triple[];
  axis: number;
  index: number;
}

export type Figures = Readonly<Record<string, number>>;

/** `channels`: whose values; several are averaged at each voxel. */
export function figuresOf({ kind, points, axis, index }: Placed, header: CaseHeader, volume: Volume | null, channels: readonly number[]): Figures {
  const scale = scaleOf(header, axis);
  if (kind === "length") return { [`length_${scale.unit}`]: lengthOf(points, scale) };
  if (kind === "angle") return { angle_degrees: angleOf(points, scale) };
  if (kind === "label") return {};
  const area = { [scale.unit === "mm" ? "area_mm2" : "area_px"]: regionArea(kind, points, axis, scale) };
  return volume ? { ...valueFigures(valuesWithin({ kind, points, axis, index }, volume, channels)), ...area } : area;
}

function valuesWithin({ kind, points, axis, index }: Placed, volume: Volume, channels: readonly number[]): number[] {
  const [first, second] = planeAxes(axis);
  const inside = regionTest(kind === "ellipse" ? "ellipse" : "rectangle", points, axis);
  const range = (a: number): [number, number] => {
    const ends = [points[0]![a]!, points[1]![a]!];
    return [Math.max(0, Math.floor(Math.min(...ends))), Math.min(volume.shape[a]! - 1, Math.ceil(Math.max(...ends)))];
  };
  const values: number[] = [];
  const voxel: Triple = [0, 0, 0];
  voxel[axis] = index;
  for (let [u, last] = range(first); u <= last; u++) {
    for (let [v, end] = range(second); v <= end; v++) {
      if (!inside(u, v)) continue;
      [voxel[first], voxel[second]] = [u, v];
      values.push(channels.reduce((sum, channel) => sum + valueAt(volume, channel, voxel), 0) / channels.length);
    }
  }
  return values;
}

/** The standard deviation is of these values, not of a sample. */
export function valueFigures(values: readonly number[]): Figures {
  if (values.length === 0) return { voxels: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  let [min, max] = [values[0]!, values[0]!];
  for (const value of values) [min, max] = [Math.min(min, value), Math.max(max, value)];
  return { voxels: values.length, mean, sd, min, max };
}

/** As it stands beside a measurement: "12.3 mm", "45.0°", "mean 34.5 ± 5.10 HU", "3 … 90", "120 mm²". */
export function figureLines(figures: Figures, unit: string): string[] {
  const { voxels, mean, sd, min, max } = figures;
  const words = unit && ` ${unit}`;
  const lines = [
    figures.length_mm !== undefined && `${figures.length_mm.toFixed(1)} mm`,
    figures.length_px !== undefined && `${figures.length_px.toFixed(1)} px`,
    figures.angle_degrees !== undefined && (Number.isNaN(figures.angle_degrees) ? "" : `${figures.angle_degrees.toFixed(1)}°`),
    mean !== undefined && `mean ${digits(mean)} ± ${digits(sd!)}${words}`,
    min !== undefined && `${digits(min)} … ${digits(max!)}${words}`,
    figures.area_mm2 !== undefined && (figures.area_mm2 < 1000 ? `${digits(figures.area_mm2)} mm²` : `${digits(figures.area_mm2 / 100)} cm²`),
    figures.area_px !== undefined && `${digits(figures.area_px)} px²`,
    figures.volume_ml !== undefined && `${digits(figures.volume_ml)} ml`,
    voxels === 0 ? "no voxel" : mean !== undefined && figures.area_mm2 === undefined && figures.volume_ml === undefined && `${voxels} voxels`,
  ];
  return lines.filter((line): line is string => !!line);
}

/** Whole numbers as they are; others with three digits that count. */
function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
