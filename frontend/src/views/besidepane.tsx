/** The pane of a reference: another series of the patient beside the case, looked at and never drawn on. */
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Pixel, pixelOfVoxel, sliceOf, voxelOfPixel } from "../geometry/plane";
import { FITTED, panBy, pixelOfPoint, pointOfPixel, type Viewport, zoomAt } from "../geometry/viewport";
import { requestDraw } from "../render/frame";
import { drawHead } from "../render/head";
import { PanePainter } from "../render/painter";
import type { Beside } from "../state/beside";
import { References } from "../state/beside";
import * as display from "../state/display";
import { short } from "../state/readout";
import type { CaseSession } from "../state/session";
import { wheelSteps } from "../tools/wheel";
import { PlainButton } from "./controls";

export default function BesidePane({ session }: { session: CaseSession }) {
  const [references, setReferences] = useState<References | null>(null);
  useEffect(() => {
    const made = new References(session);
    setReferences(made);
    return () => made.close();
  }, [session]);
  const beside = references?.chosen.value ?? null;
  const trouble = references?.trouble.value || beside?.trouble.value;
  return (
    <section class="pane pane-reference" aria-label="Reference series" data-testid="reference" data-name={beside?.reference.name ?? ""}>
      {beside && <Canvas key={beside.reference.id} beside={beside} />}
      {references && <Bar references={references} beside={beside} />}
      {beside && !beside.reference.placed && <Unplaced beside={beside} />}
      {trouble && (
        <p class="reference-word" role="alert">
          {trouble}
        </p>
      )}
    </section>
  );
}

/** Which reference, its channel and its own window. */
function Bar({ references, beside }: { references: References; beside: Beside | null }) {
  const presets = beside?.window.presets ?? [];
  const { low, high } = beside?.window.value ?? { low: 0, high: 1 };
  const chosen = presets.findIndex((one) => one.low === low && one.high === high);
  return (
    <div class="reference-bar">
      <select
        aria-label="Reference series"
        data-testid="reference-choice"
        value={beside?.reference.id}
        title={beside?.reference.position}
        onChange={(event) => references.choose(event.currentTarget.value)}
      >
        {references.list.value.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      {beside && beside.reference.image.channels > 1 && !beside.reference.image.colour && (
        <select aria-label="Channel of the reference" onChange={(event) => (beside.channel.value = Number(event.currentTarget.value))}>
          {Array.from({ length: beside.reference.image.channels }, (_, n) => (
            <option key={n} value={n}>
              {beside.reference.image.channel_names[n] ?? `channel ${n + 1}`}
            </option>
          ))}
        </select>
      )}
      {beside && (
        <select
          aria-label="Window of the reference"
          data-testid="reference-window"
          value={chosen}
          onChange={(event) => beside.window.choose(presets[Number(event.currentTarget.value)]!)}
        >
          {chosen < 0 && <option value={-1}>own window</option>}
          {presets.map(({ name }, n) => (
            <option key={name} value={n}>
              {name}
            </option>
          ))}
        </select>
      )}
      <PlainButton class="chip" title="Close the reference" testid="reference-close" onPress={() => (display.referenceShown.value = false)}>
        ×
      </PlainButton>
    </div>
  );
}

/** Positions that cannot be compared are said, and nothing follows until somebody wants it to. */
function Unplaced({ beside }: { beside: Beside }) {
  const { position } = beside.reference;
  return (
    <p class="reference-word" data-testid="reference-unplaced">
      <strong>{position[0]!.toUpperCase() + position.slice(1)}.</strong>{" "}
      <PlainButton
        class="chip"
        title="Show the slice at the same share of the series; places do not correspond"
        pressed={beside.byShare.value}
        testid="reference-by-share"
        onPress={() => (beside.byShare.value = !beside.byShare.value)}
      >
        Link by relative slice
      </PlainButton>
    </p>
  );
}

function Canvas({ beside }: { beside: Beside }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new BesideView(beside, box.current!);
    return () => view.close();
  }, [beside]);
  const { plane, number, voxel, within } = beside.shown.value;
  const volume = beside.volume.value;
  const there = beside.arrived.value >= 0 && volume !== null && volume.received === volume.values.length;
  return (
    <div
      ref={box}
      class="reference-canvas"
      tabIndex={0}
      role="img"
      aria-label={`${beside.reference.name}: ${plane.name} slice ${number + 1} of ${beside.reference.image.shape[plane.slice_axis]}`}
      data-testid="reference-slice"
      data-ready={there}
      data-plane={plane.name}
      data-slice={number}
      data-within={within}
      data-voxel={voxel ? voxel.map((at) => at.toFixed(2)).join() : ""}
    >
      <canvas class="layer" data-layer="image" />
      <canvas class="layer" data-layer="labels" />
      <canvas class="layer" data-layer="head" />
    </div>
  );
}

/** Draws the slice, and turns the wheel, clicks and drags into places and windows. */
class BesideView {
  private painter: PanePainter;
  private view: Viewport = FITTED;
  private drag: { from: Pixel; window: { low: number; high: number } | null } | null = null;
  private readonly stops: (() => void)[] = [];
  private readonly canvases;

  constructor(
    private readonly beside: Beside,
    private readonly box: HTMLDivElement,
  ) {
    const layer = (name: string): HTMLCanvasElement => box.querySelector(`[data-layer="${name}"]`)!;
    this.canvases = { image: layer("image"), labels: layer("labels"), head: layer("head") };
    this.painter = this.painterFor();
    const observer = new ResizeObserver(() => this.ask());
    observer.observe(box);
    this.stops.push(() => observer.disconnect());
    const { shown, volume, arrived, window, channel } = beside;
    this.stops.push(
      effect(() => {
        void [shown.value, volume.value, arrived.value, window.value, channel.value, display.smooth.value, display.crosshairShown.value];
        this.ask();
      }),
    );
    this.listen();
  }

  close(): void {
    this.stops.splice(0).forEach((stop) => stop());
  }

  private painterFor(): PanePainter {
    return new PanePainter(this.beside.shown.peek().plane, this.beside.reference.image.shape, this.canvases);
  }

  private ask(): void {
    requestDraw(this, () => this.draw());
  }

  private draw(): void {
    const { beside } = this;
    const { plane, number } = beside.shown.peek();
    if (this.painter.plane !== plane) {
      this.painter = this.painterFor();
      this.view = FITTED;
    }
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width === 0 || height === 0) return;
    this.painter.resize({ width, height, ratio: Math.min(2, window.devicePixelRatio || 1) });
    const volume = beside.volume.peek();
    if (volume) {
      const look = { window: beside.window.value, channel: beside.channel.peek(), smooth: display.smooth.peek() };
      this.painter.paintImage(volume, sliceOf(plane, beside.reference.image.shape, number), look, this.view, "all");
    }
    this.drawHead();
  }

  private drawHead(): void {
    const { image } = this.beside.reference;
    const { plane, number, voxel, within, offMm } = this.beside.shown.peek();
    const place = this.painter.place(this.view);
    const crossed = voxel && within && display.crosshairShown.peek() ? pointOfPixel(place, pixelOfVoxel(plane, image.shape, voxel)) : null;
    const { low, high } = this.beside.window.value;
    const outside = within ? (offMm >= 0.05 && voxel ? [`crosshair ${offMm.toFixed(1)} mm off this slice`] : []) : ["The crosshair lies outside this series"];
    const lines = [...outside, `W ${short(high - low)}  C ${short((low + high) / 2)}`];
    const title = `${plane.name[0]!.toUpperCase() + plane.name.slice(1)}  ${number + 1} / ${image.shape[plane.slice_axis]}`;
    const nothing = { brush: null, marks: [], ring: null, measures: [], signs: [] };
    const unit = image.sized ? "mm" : "px";
    drawHead(this.painter.headContext(), { plane, size: this.painter.paneSize, place, crosshair: crossed, title, lines, unit, ...nothing });
  }

  private listen(): void {
    const on = <Name extends keyof HTMLElementEventMap>(name: Name, act: (event: HTMLElementEventMap[Name]) => void): void => {
      this.box.addEventListener(name, act, { passive: false });
      this.stops.push(() => this.box.removeEventListener(name, act));
    };
    on("wheel", (event) => this.turn(event));
    on("contextmenu", (event) => event.preventDefault());
    on("pointerdown", (event) => this.begin(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.end(event));
    on("pointercancel", () => (this.drag = null));
    on("dblclick", () => {
      this.view = FITTED;
      this.ask();
    });
  }

  private at(event: MouseEvent): Pixel {
    const { left, top } = this.box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private turn(event: WheelEvent): void {
    event.preventDefault();
    const steps = wheelSteps(event);
    if (steps === 0) return;
    const { x, y } = this.at(event);
    const place = this.painter.place(this.view);
    const { width, height } = this.painter.paneSize;
    if (event.ctrlKey || event.metaKey) {
      this.view = zoomAt(this.view, 1.15 ** -steps, place, { x: x - width / 2, y: y - height / 2 });
      this.ask();
    } else this.beside.turn(steps * this.down());
  }

  /** The way of the wheel in the case's planes: towards the feet, the back or the left. */
  private down(): 1 | -1 {
    const { session, reference } = this.beside;
    const active = session.active.peek();
    const axis = session.planes[active]!.slice_axis;
    const beside = this.beside.shown.peek().plane.slice_axis;
    const same = [0, 1, 2].reduce((sum, row) => sum + session.header.affine[row]![axis]! * reference.image.affine[row]![beside]!, 0) >= 0;
    return (session.stepDown(active) * (same ? 1 : -1)) as 1 | -1;
  }

  private begin(event: PointerEvent): void {
    this.box.focus();
    this.box.setPointerCapture(event.pointerId);
    const windows = event.button === 2 || display.tool.peek() === "window";
    this.drag = { from: this.at(event), window: windows ? { ...this.beside.window.value } : null };
    if (event.button === 0 && !windows) this.point(event);
  }

  private point(event: PointerEvent): void {
    const { plane, number } = this.beside.shown.peek();
    const { shape } = this.beside.reference.image;
    const pixel = pixelOfPoint(this.painter.place(this.view), this.at(event));
    const voxel = voxelOfPixel(plane, shape, pixel, number);
    if (this.beside.reference.placed && voxel.every((at, axis) => at >= -0.5 && at <= shape[axis]! - 0.5)) this.beside.goTo(voxel);
  }

  private move(event: PointerEvent): void {
    if (!this.drag || event.buttons === 0) return;
    const to = this.at(event);
    const { from, window: began } = this.drag;
    if (began) {
      const span = began.high - began.low;
      const width = Math.max(span * 0.01, span * 2 ** ((to.x - from.x) / 150));
      const centre = (began.low + began.high) / 2 + ((from.y - to.y) / 300) * span;
      this.beside.window.value = { low: centre - width / 2, high: centre + width / 2 };
    } else if (event.buttons & 4) {
      this.view = panBy(this.view, this.painter.place(this.view), to.x - from.x, to.y - from.y);
      this.drag.from = to;
      this.ask();
    } else this.point(event);
  }

  private end(event: PointerEvent): void {
    if (this.drag?.window) this.beside.window.keep();
    this.drag = null;
    if (this.box.hasPointerCapture(event.pointerId)) this.box.releasePointerCapture(event.pointerId);
  }
}
