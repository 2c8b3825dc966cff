/** Agreement of the readings week by week, all in all and of each label. */
import type { AgreementWindow, Project } from "../api/types";
import { Empty, Swatch } from "./controls";
import { day } from "./format";
import { linearScale } from "./scale";

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 46;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 30;

export function AgreementChart({ project, windows }: { project: Project; windows: readonly AgreementWindow[] }) {
  if (windows.length === 0) return <Empty title="No consensus yet">It is made when a case has two readings or more and as many as it needs.</Empty>;
  const labels = project.labels.filter(({ value }) => windows.some(({ by_label: by }) => by[value] !== undefined));
  return (
    <>
      {windows.length > 1 && <Lines windows={windows} labels={labels} />}
      <table class="table table-small" data-testid="agreement-over-time">
        <thead>
          <tr>
            <th>Week from</th>
            <th class="number">Cases</th>
            <th class="number">Agreement</th>
            {labels.map(({ value, name, colour }) => (
              <th key={value} class="number">
                <Swatch colour={colour} /> {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {windows.map(({ start, cases, value, low, high, by_label: by }) => (
            <tr key={start}>
              <td>{day(start)}</td>
              <td class="number">{cases}</td>
              <td class="number">
                {value?.toFixed(2) ?? "–"}
                {low !== null && high !== null && <span class="faint"> ({`${low.toFixed(2)}–${high.toFixed(2)}`})</span>}
              </td>
              {labels.map((label) => (
                <td key={label.value} class="number">
                  {by[label.value]?.toFixed(2) ?? "–"}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        {project.kind === "segmentation"
          ? "The mean Dice of every two readers; of a case counts its label with the lowest."
          : "The share of the most frequent class."}{" "}
        Intervals: 90 % over cases.
      </p>
    </>
  );
}

function Lines({ windows, labels }: { windows: readonly AgreementWindow[]; labels: Project["labels"] }) {
  const times = windows.map(({ start }) => new Date(start).getTime());
  const x = linearScale(times[0]!, times[times.length - 1]!, LEFT + 16, WIDTH - RIGHT - 16, 6);
  const y = linearScale(0, 1, HEIGHT - BOTTOM, TOP, 5);
  const path = (of: (window: AgreementWindow) => number | null | undefined): string =>
    windows.flatMap((window, n) => (of(window) == null ? [] : [`${x(times[n]!).toFixed(1)},${y(of(window)!).toFixed(1)}`])).join(" ");
  const certain = windows.map((window, n) => ({ ...window, at: times[n]! })).filter(({ low, high }) => low !== null && high !== null);
  const band = [...certain.map(({ at, high }) => `${x(at)},${y(high!)}`), ...[...certain].reverse().map(({ at, low }) => `${x(at)},${y(low!)}`)].join(" ");
  const last = windows[windows.length - 1]!;
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Agreement over ${windows.length} weeks, latest ${last.value?.toFixed(2) ?? "unknown"}`}>
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line class="grid-line" x1={LEFT} x2={WIDTH - RIGHT} y1={y(tick)} y2={y(tick)} />
            <text class="tick" x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
              {tick.toFixed(1)}
            </text>
          </g>
        ))}
        {windows.map(({ start }, n) => (
          <text key={start} class="tick" x={x(times[n]!)} y={HEIGHT - BOTTOM + 18} text-anchor="middle">
            {n % Math.ceil(windows.length / 8) === 0 ? day(start) : ""}
          </text>
        ))}
        <line class="axis-line" x1={LEFT} x2={WIDTH - RIGHT} y1={HEIGHT - BOTTOM} y2={HEIGHT - BOTTOM} />
        <polygon class="band" points={band} />
        {labels.map(({ value, colour }) => (
          <polyline key={value} class="curve-label" stroke={colour} points={path(({ by_label: by }) => by[value])} />
        ))}
        <polyline class="curve" points={path(({ value }) => value)} />
      </svg>
    </figure>
  );
}
