/** A curve with its interval band, as plain SVG; the point nearest to the pointer is read out. */
import { useState } from "preact/hooks";
import type { CurvePoint } from "../api/types";
import { metricName } from "./format";
import { linearScale } from "./scale";

export type CurveAxis = "labelled_cases" | "effort_minutes";

const WIDTH = 720;
const HEIGHT = 300;
const LEFT = 46;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 40;
const AXIS_NAMES: Record<CurveAxis, string> = { labelled_cases: "annotated cases", effort_minutes: "minutes of human effort" };

export type Measured = CurvePoint & { mean: number };

/** The points that have a score: the mean of none is null. */
export const measured = (points: readonly CurvePoint[]): Measured[] => points.filter((point): point is Measured => point.mean !== null);

export function Curve({ points, axis }: { points: Measured[]; axis: CurveAxis }) {
  const [near, setNear] = useState<number | null>(null);
  const sorted = [...points].sort((a, b) => a[axis] - b[axis] || a.model_index - b.model_index);
  const metric = sorted[0]!.metric;
  const last = sorted[sorted.length - 1]!;
  const low = Math.max(0, Math.floor(Math.min(...sorted.map((p) => p.low ?? p.mean)) * 10) / 10 - 0.05);
  const x = linearScale(0, Math.max(...sorted.map((p) => p[axis])) * 1.04 || 1, LEFT, WIDTH - RIGHT, 8);
  const y = linearScale(low, 1, HEIGHT - BOTTOM, TOP, 5);
  const at = (p: Measured, value: number): string => `${x(p[axis]).toFixed(1)},${y(value).toFixed(1)}`;
  const certain = sorted.filter((p) => p.low !== null && p.high !== null);
  const band = [...certain.map((p) => at(p, p.high!)), ...[...certain].reverse().map((p) => at(p, p.low!))].join(" ");
  const read = (near === null ? undefined : sorted[near]) ?? last;
  const findNearest = (event: PointerEvent & { currentTarget: SVGSVGElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const pointer = ((event.clientX - box.left) / box.width) * WIDTH;
    const gaps = sorted.map((p) => Math.abs(x(p[axis]) - pointer));
    setNear(gaps.indexOf(Math.min(...gaps)));
  };
  return (
    <figure class="chart" data-testid="curve">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${metric} over ${AXIS_NAMES[axis]}: ${sorted.length} models, latest ${last.mean.toFixed(3)} ${interval(last)}`}
        onPointerMove={findNearest}
        onPointerLeave={() => setNear(null)}
      >
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line class="grid-line" x1={LEFT} x2={WIDTH - RIGHT} y1={y(tick)} y2={y(tick)} />
            <text class="tick" x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
              {tick.toFixed(tick % 0.1 > 0.001 && tick % 0.1 < 0.099 ? 2 : 1)}
            </text>
          </g>
        ))}
        {x.ticks.map((tick) => (
          <text key={tick} class="tick" x={x(tick)} y={HEIGHT - BOTTOM + 18} text-anchor="middle">
            {tick}
          </text>
        ))}
        <line class="axis-line" x1={LEFT} x2={WIDTH - RIGHT} y1={HEIGHT - BOTTOM} y2={HEIGHT - BOTTOM} />
        <text class="axis-name" x={WIDTH - RIGHT} y={HEIGHT - 4} text-anchor="end">
          {AXIS_NAMES[axis]}
        </text>
        <polygon class="band" points={band} />
        <polyline class="curve" points={sorted.map((p) => at(p, p.mean)).join(" ")} />
        {sorted.map((p) => (
          <g key={p.model_index}>
            {certain.length === 1 && p === certain[0] && <line class="whisker" x1={x(p[axis])} x2={x(p[axis])} y1={y(p.low!)} y2={y(p.high!)} />}
            <circle class={p === read ? "dot dot-read" : "dot"} cx={x(p[axis])} cy={y(p.mean)} r={p === read ? 5 : 3.5} />
          </g>
        ))}
      </svg>
      <figcaption>
        <strong>
          {metricName(metric)} {read.mean.toFixed(3)}
        </strong>{" "}
        {interval(read)} · model {read.model_index} · {read.labelled_cases} cases · {read.effort_minutes.toFixed(1)} min
        {read.surface && <div data-testid="surface">{read.surface}</div>}
      </figcaption>
    </figure>
  );
}

/** "(0.701–0.815)", or in words why there is none. */
export function interval({ low, high, note }: Pick<CurvePoint, "low" | "high" | "note">): string {
  return low === null || high === null ? `(${note || "no interval"})` : `(${low.toFixed(3)}–${high.toFixed(3)})`;
}
