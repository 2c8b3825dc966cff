/** The canvas of the map: zoom, move, lasso, look at a point and open it, by mouse or keyboard. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PoolMap, Project } from "../api/types";
import { type Camera, fitted, lassoed, nearest, panned, type Size, type Spot, seen, toPlace, zoomed } from "../geometry/flatmap";
import { drawMap } from "../render/mappoints";
import type { Entry } from "../state/mapcolours";
import { go, linkTo } from "../state/router";

interface CanvasProps {
  project: Project;
  map: PoolMap;
  entries: readonly Entry[];
  chosen: ReadonlySet<number>;
  /** The point that is pointed at; −1 for none. */
  at: number;
  onChosen: (chosen: ReadonlySet<number>) => void;
  onAt: (at: number) => void;
}

type Mode = "lasso" | "move";

const STEP = 40;
const CLOSER = 1.4;
const NEAR_PX = 8;
const KEY_NEAR_PX = 60;

export function MapCanvas({ project, map, entries, chosen, at, onChosen, onAt }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(canvas);
  const [camera, setCamera] = useState<Camera>(fitted(size));
  const [mode, setMode] = useState<Mode>("lasso");
  const [lasso, setLasso] = useState<readonly Spot[]>([]);
  const [aims, setAims] = useState(false);
  const begun = useRef<Spot | null>(null);
  const latest = useRef<{ lasso: Spot[]; moved: boolean }>({ lasso: [], moved: false });
  useEffect(() => setCamera(fitted(size)), [map, size]);
  useLayoutEffect(() => {
    const drawing = canvas.current?.getContext("2d");
    if (!canvas.current || !drawing) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.current.width = Math.round(size.width * ratio);
    canvas.current.height = Math.round(size.height * ratio);
    drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawMap(drawing, camera, size, { xs: map.x, ys: map.y, entries, chosen, at, lasso, aims, ink: getComputedStyle(canvas.current).color });
  }, [map, size, camera, entries, chosen, at, lasso, aims]);

  const spotOf = (event: MouseEvent): Spot => {
    const box = canvas.current!.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pointAt = (spot: Spot, within: number): number => nearest(map.x, map.y, toPlace(camera, size, spot), within / camera.scale);
  const middle: Spot = [size.width / 2, size.height / 2];
  const zoom = (factor: number, spot: Spot = middle): void => setCamera((one) => zoomed(one, size, factor, spot));
  const move = (dx: number, dy: number): void => setCamera((one) => panned(one, dx, dy));
  const open = (n: number): void => {
    if (n >= 0) go(linkTo.case(project.id, map.ids[n]!));
  };
  const choose = (found: readonly number[], also: boolean): void => onChosen(new Set(also ? [...chosen, ...found] : found));

  const onDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    canvas.current?.setPointerCapture(event.pointerId);
    begun.current = spotOf(event);
    latest.current = { lasso: [begun.current], moved: false };
  };
  const onMove = (event: PointerEvent): void => {
    const spot = spotOf(event);
    if (!begun.current) {
      onAt(pointAt(spot, NEAR_PX));
      return;
    }
    const [x, y] = begun.current;
    latest.current.moved ||= Math.hypot(spot[0] - x, spot[1] - y) > 4;
    if (mode === "move") {
      move(spot[0] - x, spot[1] - y);
      begun.current = spot;
    } else if (latest.current.moved) {
      latest.current.lasso.push(spot);
      setLasso([...latest.current.lasso]);
    }
  };
  const onUp = (event: PointerEvent): void => {
    if (!begun.current) return;
    begun.current = null;
    if (!latest.current.moved) open(pointAt(spotOf(event), NEAR_PX));
    else if (mode === "lasso") {
      const polygon = latest.current.lasso.map((spot) => toPlace(camera, size, spot));
      choose(lassoed(polygon, map.x, map.y), event.shiftKey);
    }
    setLasso([]);
  };
  const onKey = (event: KeyboardEvent): void => {
    const act = keysOf(event.key);
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const keysOf = (key: string): (() => void) | undefined =>
    ({
      ArrowLeft: () => move(STEP, 0),
      ArrowRight: () => move(-STEP, 0),
      ArrowUp: () => move(0, STEP),
      ArrowDown: () => move(0, -STEP),
      "+": () => zoom(CLOSER),
      "-": () => zoom(1 / CLOSER),
      "0": () => setCamera(fitted(size)),
      Enter: () => open(at),
      x: () => at >= 0 && choose([at], true),
    })[key];
  useEffect(() => {
    if (aims) onAt(pointAt(middle, KEY_NEAR_PX));
  }, [aims, camera]);
  return (
    <section class="panel map-panel" aria-label="Map">
      <div class="row">
        {(["lasso", "move"] as const).map((one) => (
          <button key={one} class="small" aria-pressed={mode === one} data-testid={`map-mode-${one}`} onClick={() => setMode(one)}>
            {one === "lasso" ? "Lasso" : "Move"}
          </button>
        ))}
        <button class="small" aria-label="Zoom in" data-testid="map-closer" onClick={() => zoom(CLOSER)}>
          +
        </button>
        <button class="small" aria-label="Zoom out" data-testid="map-further" onClick={() => zoom(1 / CLOSER)}>
          −
        </button>
        <button class="small" data-testid="map-fit" onClick={() => setCamera(fitted(size))}>
          Whole map
        </button>
        <button class="small" data-testid="map-in-view" onClick={() => choose(seen(camera, size, map.x, map.y), false)}>
          Select all in view
        </button>
      </div>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it takes the keys itself, as an application does */}
      <canvas
        ref={canvas}
        class="map-canvas"
        tabIndex={0}
        role="application"
        aria-label="Map of the cases: arrow keys move it, + and − zoom, 0 shows all of it, x selects the case in the middle, Enter opens it"
        data-testid="map-canvas"
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerCancel={() => {
          begun.current = null;
          setLasso([]);
        }}
        onPointerLeave={() => !begun.current && onAt(-1)}
        onWheel={(event) => {
          event.preventDefault();
          zoom(event.deltaY < 0 ? CLOSER : 1 / CLOSER, spotOf(event));
        }}
        onKeyDown={onKey}
        onFocus={(event) => setAims(event.currentTarget.matches(":focus-visible"))}
        onBlur={() => setAims(false)}
      />
      <p class="hint" aria-live="polite" data-testid="map-at">
        {at < 0 ? "Drag around cases to select them; Shift adds to the selection. A click opens a case." : wordsOf(map, at)}
      </p>
    </section>
  );
}

/** A case in a line. */
export function wordsOf(map: PoolMap, n: number): string {
  const [entropy, quality, round] = [map.uncertainties[n], map.qualities[n], map.rounds[n]];
  const parts = [
    map.names[n],
    map.states[n],
    map.splits[n],
    map.labels[n] && `label ${map.labels[n]}`,
    entropy === null || entropy === undefined ? "" : `uncertainty ${entropy.toFixed(3)}`,
    quality === null || quality === undefined ? "" : `expected quality ${quality.toFixed(2)}`,
    round ? `round ${round}` : "",
    map.groups[n],
  ];
  return parts.filter(Boolean).join(" · ");
}

/** The canvas as large as its place. */
function useSize(canvas: { current: HTMLCanvasElement | null }): Size {
  const [size, setSize] = useState<Size>({ width: 600, height: 500 });
  useLayoutEffect(() => {
    const watched = canvas.current;
    if (!watched) return;
    const look = (): void => setSize({ width: watched.clientWidth, height: watched.clientHeight });
    look();
    const observer = new ResizeObserver(look);
    observer.observe(watched);
    return () => observer.disconnect();
  }, []);
  return size;
}
