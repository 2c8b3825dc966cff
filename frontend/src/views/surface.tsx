/** The segments in 3D, loaded when it is first opened: drag turns, a click moves the crosshair, buttons and letters look from each side. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Triple } from "../api/types";
import { type Camera, fitted, orbit, placeOf, placeUnder, SIDE_NAMES, type Side, seenFrom, shift, voxelAt, zoomed } from "../geometry/camera";
import { requestDraw } from "../render/frame";
import { SurfacePainter } from "../render/surface";
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { Surfaces } from "../state/surfaces";
import { PlainButton } from "./controls";

const SIDES = Object.keys(SIDE_NAMES) as Side[];
/** What the sides are called where nobody knows which way the patient lies. */
const AXES: Record<Side, string> = { A: "+y", P: "−y", L: "−x", R: "+x", S: "+z", I: "−z" };
const NO_WEBGL = "3D needs WebGL 2, which this browser or its graphics driver does not offer. The planes work without it.";
const LOST = "The graphics driver stopped the 3D view; close it and open it again.";

export default function SurfaceView({ session }: { session: CaseSession }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [scene, setScene] = useState<Scene | null>(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const painter = SurfacePainter.on(canvas.current!);
    if (!painter) return setTrouble(NO_WEBGL);
    const made = new Scene(session, painter, canvas.current!, () => setTrouble(LOST));
    setScene(made);
    return () => made.close();
  }, [session]);
  const oriented = session.header.oriented;
  const why = trouble || (scene?.surfaces.trouble.value ?? "");
  return (
    <section class="pane pane-surface" aria-label="3D surface of the segments" data-testid="surface">
      <canvas
        ref={canvas}
        class="surface"
        tabIndex={0}
        role="img"
        aria-label="Segments in 3D. Arrows turn, plus and minus zoom, A P L R S I look from each side"
        data-testid="surface-canvas"
        data-state={why ? "off" : scene && !scene.surfaces.working.value ? "ready" : "working"}
        data-triangles={scene?.triangles ?? 0}
        data-from={scene?.from.value ?? ""}
      />
      <div class="surface-bar">
        {SIDES.map((side) => (
          <PlainButton
            key={side}
            class="chip"
            title={oriented ? `From ${SIDE_NAMES[side]} (${side})` : `From ${AXES[side]} (${side})`}
            pressed={scene?.from.value === side}
            testid={`from-${side}`}
            onPress={() => scene?.look(side)}
          >
            {oriented ? side : AXES[side]}
          </PlainButton>
        ))}
        <PlainButton class="chip" title="Fit everything again" testid="surface-fit" onPress={() => scene?.fit()}>
          Fit
        </PlainButton>
        <PlainButton class="chip" title="Close the 3D view" testid="surface-close" onPress={() => (display.surfaceShown.value = false)}>
          Close
        </PlainButton>
      </div>
      <p class="surface-line" role="status" data-testid="surface-line">
        {why || scene?.line}
      </p>
    </section>
  );
}

class Scene {
  readonly surfaces: Surfaces;
  /** The side that is looked from; "" between them. */
  readonly from = signal<Side | "">("A");
  private readonly camera = signal<Camera | null>(null);
  private readonly sized = signal({ width: 0, height: 0 });
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly session: CaseSession,
    private readonly painter: SurfacePainter,
    private readonly canvas: HTMLCanvasElement,
    lost: () => void,
  ) {
    this.surfaces = new Surfaces(session);
    const observer = new ResizeObserver(() => {
      this.sized.value = { width: canvas.clientWidth, height: canvas.clientHeight };
    });
    observer.observe(canvas);
    this.listen(lost);
    this.stops.push(
      () => observer.disconnect(),
      effect(() => this.follow()),
      effect(() => this.paint()),
    );
  }

  get triangles(): number {
    return [...this.surfaces.made.value.values()].reduce((sum, { triangles }) => sum + triangles.length / 3, 0);
  }

  get line(): string {
    const made = [...this.surfaces.made.value.values()];
    const { working } = this.surfaces;
    if (made.length === 0) return working.value ? "Making the surfaces…" : "No label has a voxel yet";
    const coarse = Math.max(...made.flatMap(({ factors }) => factors));
    const parts = [
      `${made.length} ${made.length === 1 ? "label" : "labels"}`,
      coarse > 1 && `up to ${coarse} voxels per sample`,
      working.value && "following the edit…",
    ];
    return parts.filter(Boolean).join(" · ");
  }

  close(): void {
    this.surfaces.close();
    this.stops.splice(0).forEach((stop) => stop());
    this.painter.close();
  }

  look(side: Side): void {
    if (this.camera.value) this.camera.value = seenFrom(side, this.camera.value);
    this.from.value = side;
  }

  fit(): void {
    const { width, height } = this.sized.value;
    const [low, high] = boundsOf([...this.surfaces.made.value.values()].map(({ positions }) => positions));
    if (width === 0 || low[0] > high[0]) return;
    const { from } = this;
    const camera = fitted(low, high, width, height);
    this.camera.value = from.value
      ? seenFrom(from.value, camera)
      : { ...camera, ...(this.camera.value && { right: this.camera.value.right, up: this.camera.value.up, towards: this.camera.value.towards }) };
  }

  /** Take over what the worker made; the first of it is fitted. */
  private follow(): void {
    const made = this.surfaces.made.value;
    const loaded = this.painter.surfaces;
    for (const { label } of loaded) if (!made.has(label)) this.painter.remove(label);
    for (const surface of made.values()) if (!loaded.includes(surface)) this.painter.load(surface);
    const { width } = this.sized.value;
    if (!this.surfaces.working.value && this.camera.peek() === null && width > 0) this.fit();
  }

  private paint(): void {
    this.surfaces.made.value;
    const { width, height } = this.sized.value;
    const camera = this.camera.value;
    const colours = this.colours();
    const lines = this.crosshair();
    if (!camera || width === 0) return;
    requestDraw(this, () => this.painter.draw({ camera, width, height, ratio: Math.min(2, window.devicePixelRatio || 1), colours, lines }));
  }

  private colours(): ReadonlyMap<number, string> {
    const { labels, hidden } = this.session;
    return new Map(labels.filter(({ value }) => !hidden.value.has(value)).map(({ value, colour }) => [value, colour]));
  }

  /** Three lines through the crosshair, as long as the image. */
  private crosshair(): Triple[] {
    const { header, crosshair } = this.session;
    const at = crosshair.value;
    if (!display.crosshairShown.value) return [];
    return [0, 1, 2].flatMap((axis) =>
      [-0.5, header.shape[axis]! - 0.5].map((end) => placeOf(header.affine, at.map((value, n) => (n === axis ? end : value)) as Triple)),
    );
  }

  /** Move the crosshair to the surface under a point, of a label that is drawn. */
  private point(x: number, y: number): void {
    const { width, height } = this.sized.value;
    const colours = this.colours();
    const shown = [...this.surfaces.made.value.values()].filter(({ label }) => colours.has(label));
    const place = this.camera.value && placeUnder(this.camera.value, { x, y }, width, height, shown);
    if (place) this.session.lookAt(voxelAt(this.session.header.affine, place));
  }

  private change(camera: (now: Camera) => Camera, turns = false): void {
    if (!this.camera.value) return;
    this.camera.value = camera(this.camera.value);
    if (turns) this.from.value = "";
  }

  private listen(lost: () => void): void {
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void): void => {
      this.canvas.addEventListener(name, act, { passive: false });
      this.stops.push(() => this.canvas.removeEventListener(name, act));
    };
    let drag: { x: number; y: number; moved: number } | null = null;
    on("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      drag = { x: event.offsetX, y: event.offsetY, moved: 0 };
    });
    on("pointermove", (event) => {
      if (!drag || event.buttons === 0) return;
      const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
      drag = { x: event.offsetX, y: event.offsetY, moved: drag.moved + Math.hypot(dx, dy) };
      if (event.buttons & 6 || event.shiftKey) this.change((camera) => shift(camera, dx, dy));
      else this.change((camera) => orbit(camera, dx * TURN, dy * TURN), true);
    });
    on("pointerup", (event) => {
      if (drag && drag.moved < 4 && event.button === 0) this.point(event.offsetX, event.offsetY);
      drag = null;
    });
    on("wheel", (event) => {
      event.preventDefault();
      this.change((camera) => zoomed(camera, 1.15 ** -Math.sign(event.deltaY)));
    });
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.press(event));
    this.canvas.addEventListener("webglcontextlost", lost);
    this.stops.push(() => this.canvas.removeEventListener("webglcontextlost", lost));
  }

  /** Keys belong to the 3D view while it has the focus; all others to the case. */
  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const side = SIDES.find((one) => one === event.key.toUpperCase());
    const turn = TURNS[event.key];
    if (side && !event.shiftKey) this.look(side);
    else if (turn) this.change((camera) => orbit(camera, turn[0] * STEP, turn[1] * STEP), true);
    else if (event.key === "+" || event.key === "=") this.change((camera) => zoomed(camera, 1.25));
    else if (event.key === "-") this.change((camera) => zoomed(camera, 0.8));
    else if (event.key === "Enter") this.point(this.sized.value.width / 2, this.sized.value.height / 2);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Radians per point of a drag, and per press of an arrow. */
const TURN = 0.01;
const STEP = Math.PI / 18;
const TURNS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function boundsOf(all: readonly Float32Array[]): [Triple, Triple] {
  const low: Triple = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = low.map((value) => -value) as Triple;
  for (const positions of all) {
    for (let n = 0; n < positions.length; n++) {
      const [value, axis] = [positions[n]!, n % 3];
      if (value < low[axis]!) low[axis] = value;
      if (value > high[axis]!) high[axis] = value;
    }
  }
  return [low, high];
}
