/** Which values may be drawn on: two numbers, dragged on a histogram, typed, or taken from under the pointer. */
import { useMemo, useRef } from "preact/hooks";
import { takeRange, toggleRange } from "../state/operations";
import { histogramOf } from "../state/painting";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { Key, NumberField } from "./controls";
import { Icon } from "./icons";

const WIDTH = 120;
const HEIGHT = 24;

export function ValueRange({ session }: { session: CaseSession }) {
  const { range, rangeUsed } = session.segments;
  const { unit } = session.header;
  const { low, high } = range.value ?? session.window.value;
  const set = (next: { low: number; high: number }): void => {
    range.value = next;
    rangeUsed.value = true;
  };
  return (
    <fieldset class="value-range" data-used={rangeUsed.value}>
      <label class="toggle" title={withKey("Draw only on values of the range", "range")}>
        <input type="checkbox" checked={rangeUsed.value} data-testid="range-used" onChange={() => toggleRange(session)} />
        <span>Values</span>
        <Key of="range" />
      </label>
      <Histogram session={session} low={low} high={high} onRange={set} />
      <NumberField value={low} name="Lowest value" testid="range-low" onValue={(value) => set({ low: value, high: Math.max(value, high) })} />
      –
      <NumberField value={high} name="Highest value" testid="range-high" onValue={(value) => set({ low: Math.min(low, value), high: value })} />
      <span class="unit">{unit}</span>
      <button
        type="button"
        class="small"
        title={withKey("From the values under the brush at the crosshair; by key, at the pointer", "range-pick")}
        aria-label="Take the range from the crosshair"
        data-testid="range-pick"
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => takeRange(session, session.active.value, session.crosshair.value)}
      >
        <Icon name="pick" />
      </button>
    </fieldset>
  );
}

interface HistogramProps {
  session: CaseSession;
  low: number;
  high: number;
  onRange: (range: { low: number; high: number }) => void;
}

function Histogram({ session, low, high, onRange }: HistogramProps) {
  const from = useRef<number | null>(null);
  const volume = session.ready.value ? session.volume.value : null;
  const view = session.channel.value;
  const found = useMemo(() => volume && histogramOf(volume, view), [volume, view]);
  const path = useMemo(() => found && pathOf(found.counts), [found]);
  if (!found || !path) return <svg class="histogram" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" />;
  const span = found.high - found.low || 1;
  const xOf = (value: number): number => Math.min(WIDTH, Math.max(0, ((value - found.low) / span) * WIDTH));
  const valueAt = (event: PointerEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const value = found.low + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * span;
    return span > 50 ? Math.round(value) : Number(value.toPrecision(3));
  };
  const drag = (event: PointerEvent): void => {
    if (from.current === null) return;
    const to = valueAt(event);
    onRange({ low: Math.min(from.current, to), high: Math.max(from.current, to) });
  };
  return (
    <svg
      class="histogram"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label="How often each value occurs; drag over the values to draw on"
      data-testid="range-histogram"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = valueAt(event);
      }}
      onPointerMove={drag}
      onPointerUp={(event) => {
        drag(event);
        from.current = null;
      }}
    >
      <rect class="histogram-range" x={xOf(low)} width={Math.max(1, xOf(high) - xOf(low))} y="0" height={HEIGHT} />
      <path class="histogram-counts" d={path} />
    </svg>
  );
}

/** Square roots, so that rare values stay visible beside the air around a patient. */
function pathOf(counts: readonly number[]): string {
  const most = Math.sqrt(Math.max(1, ...counts));
  const step = WIDTH / counts.length;
  const tops = counts.map((count, n) => `L${(n + 0.5) * step} ${HEIGHT - (Math.sqrt(count) / most) * (HEIGHT - 2)}`);
  return `M0 ${HEIGHT}${tops.join("")}L${WIDTH} ${HEIGHT}Z`;
}
