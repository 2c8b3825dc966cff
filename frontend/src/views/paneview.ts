/** Draws one plane when what it depends on changes, and turns pointers into gestures. */
import { effect, signal } from "@preact/signals";
import type { Triple } from "../api/types";
import { measures } from "../browser/measures";
import { clampVoxel, type Pixel, pixelOfVoxel, sliceOf, voxelOfPixel } from "../geometry/plane";
import { type Placement, panBy, pixelOfPoint, pointOfPixel, zoomAt } from "../geometry/viewport";
import { markInput, requestDraw } from "../render/frame";
import { drawHead } from "../render/head";
import { type Mark, marksOf } from "../render/marks";
import { type Change, type PaneCanvases, PanePainter } from "../render/painter";
import type { Reduced } from "../render/reduce";
import type { RingMark } from "../render/rings";
import type { Sign } from "../render/signs";
import { projectSlab, type Slab, slabAround } from "../render/slab";
import { isWhole, type Rect } from "../render/slice";
import * as display from "../state/display";
import { lineOf, readoutAt, short } from "../state/readout";
import type { CaseSession, Stroke } from "../state/session";
import { type Drag, type PaneContact, panesOf } from "../tools/contact";
import { beginDrag, turnWheel } from "../tools/pointer";
import { type Pinch, Touches } from "../tools/touch";
import { wheelSteps } from "../tools/wheel";
import type { Volume } from "../volume/volume";
import { lookOf, measuresOn, type PaneLook } from "./panelayers";

/** The bit of `buttons` of each `button`: another one that is still held goes on with nothing. */
const BUTTONS = [1, 4, 2];

export class PaneView implements PaneContact {
  private readonly painter: PanePainter;
  private readonly pointer = signal<Pixel | null>(null);
  private readonly sized = signal(0);
  private readonly dirty = { image: "all" as "view" | "all" | null, labels: "all" as Change | null, head: true };
  private readonly stops: (() => void)[] = [];
  private projection: { of: Volume; key: string; made: Reduced } | null = null;
  private drag: Drag | null = null;
  /** The pointer that makes it; a second finger does not join in. */
  private pointerId = -1;
  /** The button that makes it, as a bit of `buttons`. */
  private holds = 1;
  private byFinger = false;
  private readonly touches = new Touches();

  constructor(
    readonly session: CaseSession,
    readonly index: number,
    private readonly box: HTMLDivElement,
    private readonly look: PaneLook = lookOf(session),
  ) {
    const layer = (name: string): HTMLCanvasElement => box.querySelector(`[data-layer="${name}"]`)!;
    const canvases: PaneCanvases = { image: layer("image"), labels: layer("labels"), head: layer("head") };
    this.painter = new PanePainter(this.plane, session.header.shape, canvases);
    panesOf(session).set(index, this);
    this.followSize();
    this.followState();
    this.listen();
  }

  close(): void {
    this.finish();
    if (panesOf(this.session).get(this.index) === this) panesOf(this.session).delete(this.index);
    this.stops.splice(0).forEach((stop) => stop());
  }

  get plane() {
    return this.session.planes[this.index]!;
  }

  private get number(): number {
    return this.session.sliceNumber(this.index);
  }

  /** The slice drawn: while a volume arrives, the newest one that is there. */
  private get shown(): number {
    const growing = this.plane.slice_axis === 2 && this.session.volume.value !== null;
    return growing ? Math.max(0, Math.min(this.number, this.session.slicesHere - 1)) : this.number;
  }

  private get view() {
    return this.session.views[this.index]!.value;
  }

  private followSize(): void {
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = this.box;
      this.endWhereSizeChanged();
      if (width === 0 || height === 0) return;
      if (this.painter.resize({ width, height, ratio: Math.min(2, window.devicePixelRatio || 1) })) this.sized.value++;
    });
    observer.observe(this.box);
    this.stops.push(() => observer.disconnect());
  }

  /** What lay under the pointer is elsewhere now; a move may come before the observer hears of it. */
  private endWhereSizeChanged(): void {
    const { width, height } = this.painter.paneSize;
    if (this.drag?.draws && (this.box.clientWidth !== width || this.box.clientHeight !== height)) this.finish();
  }

  /** Each layer redraws when one of the values read here changes. */
  private followState(): void {
    const { session } = this;
    const onChange = (read: () => unknown, mark: () => void): void => {
      this.stops.push(
        effect(() => {
          read();
          mark();
          requestDraw(this, () => this.draw());
        }),
      );
    };
    const view = (): unknown[] => [this.view, this.sized.value, session.hanging.alone.value, session.hanging.name.value, session.main];
    onChange(view, () => {
      this.dirty.image ??= "view";
      this.dirty.labels = this.dirty.labels === null || this.dirty.labels === "view" ? "view" : "all";
    });
    onChange(
      () => [
        this.shown,
        session.volume.value,
        session.arrived.value,
        session.window.value,
        session.channel.value,
        display.smooth.value,
        display.slab.value,
        display.slabThickness.value,
      ],
      () => (this.dirty.image = "all"),
    );
    onChange(
      () => [this.shown, ...Object.values(this.look.layers()), session.draft.value?.changes.value, display.smooth.value],
      () => (this.dirty.labels = "all"),
    );
    this.stops.push(
      effect(() => {
        const stroke = session.stroke.value;
        if (!stroke || stroke.plane === this.plane || !this.crosses(stroke)) return;
        this.dirty.labels = "all";
        requestDraw(this, () => this.draw());
      }),
    );
    onChange(
      () => [
        this.shown,
        view(),
        session.crosshair.value,
        session.window.value,
        session.channel.value,
        session.volume.value,
        session.arrived.value,
        this.pointer.value,
        display.tool.value,
        display.brushRadiusMm.value,
        display.crosshairShown.value,
        session.label.value,
        session.draft.value?.changes.value,
        session.draft.value?.prompts.inForce.value,
        session.refining.value,
        session.previews?.prompts.value,
        session.drawing.value,
        session.marking.value,
        session.editing.ring.value,
        session.chosenPrompt.value,
        display.slab.value,
        display.slabThickness.value,
        measuresOn(session, { plane: this.plane, shape: session.header.shape, number: this.shown, place: this.painter.place(this.view) }),
        this.signs(this.painter.place(this.view)),
      ],
      () => (this.dirty.head = true),
    );
  }

  /** Whether a stroke in another plane touches the slice shown here. */
  private crosses({ plane, part }: Stroke): boolean {
    const { x, y } = pixelOfVoxel(plane, this.session.header.shape, this.session.crosshair.peek());
    return this.plane.slice_axis === plane.x_axis ? x >= part.left && x < part.right : y >= part.top && y < part.bottom;
  }

  private draw(): void {
    const { session } = this;
    if (this.painter.paneSize.width === 0 || this.box.hidden) return;
    if (this.dirty.image) this.drawImage();
    if (this.dirty.labels) this.drawLabels();
    if (this.dirty.head) this.drawHead();
    // What is not there yet is not seen: only a whole case, drawn in the plane that is looked at, counts.
    if (this.isLarge && session.ready.value && !this.dirty.image) session.sight.painted(performance.now());
  }

  /** Whether it is the pane that is looked at. */
  private get isLarge(): boolean {
    return this.index === (this.session.hanging.alone.value ?? this.session.main);
  }

  private drawImage(): void {
    const { session, plane } = this;
    const volume = session.volume.value;
    if (!volume) return;
    const slice = sliceOf(plane, session.header.shape, this.shown);
    const look = { window: session.window.value, channel: session.channel.value, smooth: display.smooth.value };
    const drawn = this.projected(volume) ?? { volume, slice };
    this.painter.paintImage(drawn.volume, drawn.slice, look, this.view, this.dirty.image ?? "all");
    this.dirty.image = null;
    if (!session.drawn && this.isLarge && isWhole(volume, slice, session.channel.value)) {
      session.drawn = true;
      measures.firstImageMs = performance.now() - session.startedAt;
    }
  }

  /** The slab around the slice; null without one, and while some of it has not arrived. */
  private get slab(): Slab | null {
    const { session, plane } = this;
    const { header, volume, channel } = session;
    const slab = slabAround(display.slab.value, display.slabThickness.value, header, plane, this.shown);
    const there = slab && volume.value && isWhole(volume.value, sliceOf(plane, header.shape, slab.last), channel.value);
    return there && isWhole(volume.value!, sliceOf(plane, header.shape, slab.first), channel.value) ? slab : null;
  }

  private projected(volume: Volume): Reduced | null {
    const { slab, plane, session } = this;
    if (!slab) return null;
    const channel = session.channel.value;
    const key = [slab.mode, slab.first, slab.last, channel].join();
    if (this.projection?.of !== volume || this.projection.key !== key) {
      const channels = channel === "rgb" ? [0, 1, 2] : [channel];
      this.projection = { of: volume, key, made: projectSlab(volume, plane, session.header.shape, slab, channels) };
    }
    return this.projection.made;
  }

  private slabLine(): string {
    const { slab, session } = this;
    if (!slab) return "";
    const unit = session.header.spaced ? "mm" : "slices";
    return `${slab.mode} of ${display.slabThickness.value} ${unit}, slices ${slab.first + 1}–${slab.last + 1}; mask and values of slice ${this.shown + 1}`;
  }

  private drawLabels(): void {
    const { session, plane } = this;
    const change = this.dirty.labels ?? "all";
    this.dirty.labels = null;
    this.painter.paintLabels(this.look.layers(), sliceOf(plane, session.header.shape, this.shown), this.view, display.smooth.value, change);
  }

  private drawHead(): void {
    this.dirty.head = false;
    const { session, plane } = this;
    const { shape } = session.header;
    const place = this.painter.place(this.view);
    const crosshair = session.isPicture || !display.crosshairShown.value ? null : pointOfPixel(place, pixelOfVoxel(plane, shape, session.crosshair.value));
    const paints = ["brush", "eraser", "push"].includes(display.tool.value);
    const at = this.pointer.value;
    const colour = session.labels.find((label) => label.value === session.label.value)?.colour ?? "#ffffff";
    const brush = paints && at && session.draft.value ? { at, radiusMm: display.brushRadiusMm.value, colour, erases: display.tool.value === "eraser" } : null;
    const named = session.isFilm ? "Frame" : session.planeTitle(this.index);
    const title = session.isPicture
      ? this.arriving().trim()
      : `${named}  ${this.shown + 1} / ${shape[plane.slice_axis]}${session.isQueried(this.index, this.shown) ? "  queried" : ""}${this.arriving()}`;
    drawHead(this.painter.headContext(), {
      plane,
      size: this.painter.paneSize,
      place,
      crosshair,
      title,
      lines: this.lines(at),
      unit: session.unit,
      brush,
      marks: this.marks(place),
      ring: this.ring(place, colour),
      measures: measuresOn(session, { plane, shape, number: this.shown, place }),
      signs: this.signs(place),
    });
    const marking = session.marking.value;
    if (marking && marking !== "opening") marking.paint(this.painter.headContext(), { plane, shape, number: this.shown, place });
  }

  /** Said only where the slice that is wanted is not all there. */
  private arriving(): string {
    const { session } = this;
    const volume = session.volume.value;
    const slice = sliceOf(this.plane, session.header.shape, this.number);
    if (volume && isWhole(volume, slice, session.channel.value)) return "";
    return `  loading ${session.slicesHere} of ${session.header.shape[2]}`;
  }

  private marks(place: Placement): Mark[] {
    const { session, plane } = this;
    const colourOf = (label: number): string => session.labels.find(({ value }) => value === label)?.colour ?? "#ffffff";
    const scene = { plane, shape: session.header.shape, number: this.shown, place, colourOf };
    const given = (session.draft.value?.prompts.inForce.value ?? []).map(({ id, prompt }) => ({ prompt, chosen: id === session.chosenPrompt.value }));
    const waiting = session.refining.value ? (session.refiner?.pending ?? []).map((prompt) => ({ prompt, waiting: true })) : [];
    const shown = (session.previews?.prompts.value ?? []).map((prompt) => ({ prompt, waiting: true }));
    const drawing = session.drawing.value ? [{ prompt: session.drawing.value, waiting: true }] : [];
    const marking = session.marking.value;
    const marks = marking && marking !== "opening" ? marking.drawn.map((prompt) => ({ prompt })) : [];
    return [...given, ...waiting, ...shown, ...marks, ...drawing].flatMap((shown) => marksOf(shown, scene));
  }

  /** The outline that is being drawn on this slice; set point by point, its line goes on to the pointer. */
  private ring(place: Placement, colour: string): RingMark | null {
    const { value } = this.session.editing.ring;
    if (!value || value.plane !== this.index || value.number !== this.shown) return null;
    const at = value.points.map((point) => pointOfPixel(place, point));
    const pointer = this.drag ? null : this.pointer.value;
    return { at: pointer ? [...at, pointer] : at, colour, subtract: value.subtract };
  }

  private signs(place: Placement): Sign[] {
    return this.look.signs({ plane: this.plane, shape: this.session.header.shape, number: this.shown, place });
  }

  private lines(at: Pixel | null): string[] {
    const { session } = this;
    const { low, high, inverted } = session.window.value;
    const window = `W ${short(high - low)}  C ${short((low + high) / 2)}${inverted ? "  inverted" : ""}`;
    const voxel = at && this.voxelUnder(at);
    if (at) session.pointed.value = voxel;
    return [this.slabLine(), voxel ? lineOf(readoutAt(session, voxel)) : "", this.isLarge ? window : ""].filter(Boolean);
  }

  /** Null beside the image. */
  private voxelUnder(at: Pixel): Triple | null {
    const { session, plane } = this;
    const voxel = voxelOfPixel(plane, session.header.shape, pixelOfPoint(this.painter.place(this.view), at), this.shown);
    const nearest = clampVoxel(session.header.shape, voxel);
    return nearest.some((v, axis) => Math.abs(v - voxel[axis]!) > 0.51) ? null : nearest;
  }

  private listen(): void {
    const { box } = this;
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void): void => {
      box.addEventListener(name, act, { passive: false });
      this.stops.push(() => box.removeEventListener(name, act));
    };
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => {
      this.touches.end(event.pointerId);
      if (event.pointerId === this.pointerId) this.finish();
    });
    on("pointercancel", (event) => {
      this.touches.end(event.pointerId);
      if (event.pointerId === this.pointerId) this.abandon();
    });
    on("lostpointercapture", (event) => event.pointerId === this.pointerId && this.finish());
    on("pointerleave", () => {
      this.pointer.value = this.session.pointed.value = null;
    });
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.wheel(event));
    on("dblclick", () => {
      if (display.tool.value === "navigate" || display.tool.value === "window") this.session.hanging.maximise(this.index);
    });
  }

  readonly place = (): Placement => this.painter.place(this.view);

  readonly centre = (): Pixel => ({ x: this.painter.paneSize.width / 2, y: this.painter.paneSize.height / 2 });

  /** During a stroke: this pane redraws the touched part; the others follow when they show some of it. */
  readonly painted = (part: Rect): void => {
    const waiting = this.dirty.labels;
    this.dirty.labels = waiting === null ? part : typeof waiting === "object" ? union(waiting, part) : "all";
    requestDraw(this, () => this.draw());
    this.session.stroke.value = { plane: this.plane, part };
  };

  private at(event: MouseEvent): Pixel {
    const { left, top } = this.box.getBoundingClientRect();
    return { x: event.clientX - left - this.box.clientLeft, y: event.clientY - top - this.box.clientTop };
  }

  private press(event: PointerEvent): void {
    this.session.active.value = this.index;
    (document.activeElement as HTMLElement | null)?.blur?.();
    if (event.button === 1) event.preventDefault();
    markInput(event.timeStamp);
    const does = this.touches.begin(event.pointerId, event.pointerType, this.at(event), display.draws());
    if (does === "pinches" || (event.pointerType === "pen" && this.byFinger)) this.abandon(); // what a finger or palm began meant nothing
    if (does !== "acts") return;
    this.pointer.value = this.at(event);
    this.session.drag?.finish();
    const drag = beginDrag(this, this.at(event), event);
    this.byFinger = event.pointerType === "touch";
    if (drag) this.take(drag, event);
  }

  private take(drag: Drag, { pointerId, button }: PointerEvent): void {
    this.drag = drag;
    this.pointerId = pointerId;
    this.holds = BUTTONS[button] ?? 1;
    this.session.drag = { draws: drag.draws ?? false, finish: () => this.finish(), abandon: () => this.abandon() };
    this.box.setPointerCapture(pointerId);
  }

  private move(event: PointerEvent): void {
    markInput(event.timeStamp);
    const pinch = this.touches.move(event.pointerId, this.at(event));
    if (pinch) return this.pinch(pinch);
    if (this.touches.rests(event.pointerId)) return;
    if (this.drag && event.pointerId !== this.pointerId) return;
    if (this.drag && (event.buttons & this.holds) === 0) this.finish();
    this.endWhereSizeChanged();
    const path = this.drag ? (event.getCoalescedEvents?.() ?? []) : [];
    for (const step of path.length > 0 ? path : [event]) this.drag?.move(this.at(step), step);
    this.pointer.value = this.at(event);
    this.session.active.value = this.drag || event.buttons === 0 ? this.index : this.session.active.value;
  }

  private pinch({ factor, centre, dx, dy }: Pinch): void {
    const view = this.session.views[this.index]!;
    const middle = this.centre();
    const zoomed = zoomAt(view.value, factor, this.place(), { x: centre.x - middle.x, y: centre.y - middle.y });
    view.value = panBy(zoomed, this.place(), dx, dy);
  }

  /** The drag ends as if the pointer had been lifted here. */
  private finish(): void {
    this.drop()?.end();
  }

  private abandon(): void {
    this.drop()?.cancel();
  }

  private drop(): Drag | null {
    const { drag } = this;
    if (drag) this.session.drag = null;
    this.drag = null;
    return drag;
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    markInput(event.timeStamp);
    const steps = wheelSteps(event);
    if (this.session.drag?.draws) this.session.drag.finish();
    if (steps !== 0) turnWheel(this, this.at(event), event, steps, this.session.stepDown(this.index));
  }
}

function union(a: Rect, b: Rect): Rect {
  return { left: Math.min(a.left, b.left), top: Math.min(a.top, b.top), right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom) };
}
