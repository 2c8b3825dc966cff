/** Counts in ten equal bins from 0 to 1. */

const WIDTH = 320;
const HEIGHT = 150;
const BASE = HEIGHT - 22;

export function Histogram({ counts, label }: { counts: number[]; label: string }) {
  const most = Math.max(1, ...counts);
  const step = WIDTH / Math.max(1, counts.length);
  return (
    <figure class="chart" data-testid="quality-histogram">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${label}: ${counts.join(", ")}`}>
        {counts.map((count, n) => {
          const height = (count / most) * (BASE - 18);
          return (
            <g key={n}>
              <rect class="column" x={n * step + 2} y={BASE - height} width={step - 4} height={height} rx="2" />
              {count > 0 && (
                <text class="tick" x={(n + 0.5) * step} y={BASE - height - 5} text-anchor="middle">
                  {count}
                </text>
              )}
            </g>
          );
        })}
        <line class="axis-line" x1="0" x2={WIDTH} y1={BASE} y2={BASE} />
        {[0, 0.5, 1].map((tick) => (
          <text key={tick} class="tick" x={tick * WIDTH} y={HEIGHT - 6} text-anchor={tick === 0 ? "start" : tick === 1 ? "end" : "middle"}>
            {tick}
          </text>
        ))}
      </svg>
    </figure>
  );
}
