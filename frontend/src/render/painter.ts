/** Paints one pane: image, labels and head-up, each on its own canvas, so that a brush redraws labels only. */
import type { PlaneHeader, Run, Triple } from "../api/types";
import { ghostOf } from "../edits/changes";
import { type Slice, voxelOfIndex } from "../geometry/plane";
import { type Placement, placeSlice, type Viewport } from "../geometry/viewport";
import type { Volume } from "../volume/volume";
import { SliceLayer } from "./layer";
import { type LabelColour, labelTable, type Table, type Window } from "./lut";
import { labelsIn, outlineOf } from "./outline";
import { type Reduced, reduceSlice, reductionOf } from "./reduce";
import { type Block, blockAround, liesAcross, sliceIn } from "./sideways";
import { type ChannelView, drawImage, drawTable, type Rect } from "./slice";

export interface PaneSize {
  width: number;
  height: number;
  /** Device pixels per CSS pixel. */
  ratio: number;
}

export interface ImageLook {
  window: Window;
  channel: ChannelView;
  smooth: boolean;
}

/** How much of a layer must be drawn again. */
export type Change = "view" | "all" | Rect;

export interface LabelStyle {
  labels: readonly LabelColour[];
  /** Labels that are not drawn. */
  hidden: ReadonlySet<number>;
  opacity: number;
  outline: boolean;
}

/** A map drawn over the image: one byte per voxel, by a table of colours. */
export interface Heat {
  map: Uint8Array;
  colours: (opacity: number) => Table;
  opacity: number;
  /** Which pixels of a slice are drawn (1), and the mask that this rests on; all without it. */
  shown?: { of: Uint8Array | null; pixels: (slice: Slice, plane: PlaneHeader) => Uint8Array };
}

/** How a border is drawn. */
type Pen = "plain" | "dashed" | "edged";

/** The borders of somebody's labels, all in their colour. */
export interface Outlined {
  mask: Uint8Array;
  colour: string;
  /** Of this label only; null for all of them. */
  label: number | null;
}

export interface LabelLayers {
  mask: Uint8Array | null;
  /** Counts the changes of the mask; none while a hand is drawing on it. */
  version?: number | undefined;
  style: LabelStyle;
  heat: Heat | null;
  /** The model's proposal, drawn dashed for comparison. */
  proposal: Uint8Array | null;
  /** What prompts would make of a mask: its new outline in the labels' colours, and dashed in white what would go. */
  prompted: { mask: Uint8Array; runs: readonly Run[] } | null;
  /** What else the model may have meant, in the labels' colours on a dark edge. */
  hypothesis: Uint8Array | null;
  /** Of several people, one over the other. */
  people: readonly Outlined[];
}

export interface PaneCanvases {
  image: HTMLCanvasElement;
  labels: HTMLCanvasElement;
  head: HTMLCanvasElement;
}

export class PanePainter {
  private readonly grey = new SliceLayer();
  private readonly colours = new SliceLayer();
  private readonly heat = new SliceLayer();
  private size: PaneSize = { width: 0, height: 0, ratio: 1 };
  private reduced: { of: Volume; start: number; copy: Reduced } | null = null;
  private block: Block | null = null;
  private masked: (Volume & { values: Uint8Array; version: number | undefined }) | null = null;
  private maskBlock: Block | null = null;
  private coloursFor = "";
  private heatFor = "";
  private heatOf: Uint8Array | null = null;
  private heatBorder: Uint8Array | null = null;

  constructor(
    readonly plane: PlaneHeader,
    readonly shape: Triple,
    private readonly canvases: PaneCanvases,
  ) {}

  /** True when the size changed, which empties all canvases. */
  resize(size: PaneSize): boolean {
    if (size.width === this.size.width && size.height === this.size.height && size.ratio === this.size.ratio) return false;
    this.size = size;
    for (const canvas of Object.values(this.canvases) as HTMLCanvasElement[]) {
      canvas.width = Math.max(1, Math.round(size.width * size.ratio));
      canvas.height = Math.max(1, Math.round(size.height * size.ratio));
    }
    return true;
  }

  place(view: Viewport): Placement {
    return placeSlice(this.plane, this.shape, this.size.width, this.size.height, view);
  }

  get paneSize(): PaneSize {
    return this.size;
  }

  /** `change`: "view" when only zoom, pan or size differ from the last call, so that the slice's pixels still hold. */
  paintImage(volume: Volume, slice: Slice, look: ImageLook, view: Viewport, change: "view" | "all"): void {
    const { window, channel, smooth } = look;
    const context = this.cleared(this.canvases.image);
    const place = this.place(view);
    const source = this.sourceOf(volume, slice, Math.min(place.sizeX, place.sizeY) * this.size.ratio);
    if (this.grey.fit(source.slice) || change === "all") {
      drawImage(this.grey.pixels, source.volume, source.slice, window, channel);
      this.grey.commit();
    }
    // Interpolating a pixel over half a centimetre of screen would hide where voxels end.
    this.grey.stretchOnto(context, place, smooth && place.sizeX < 24, source.factor);
  }

  /** The slice itself, or a coarser copy when the screen could not show more. */
  private sourceOf(volume: Volume, slice: Slice, devicePixelsPerPixel: number): Reduced {
    const factor = reductionOf(slice, devicePixelsPerPixel);
    if (factor === 1 && liesAcross(this.plane, volume, this.shape)) return this.sideways(volume, slice);
    if (factor === 1 || volume.received < volume.values.length) return { volume, slice, factor: 1 };
    if (this.reduced?.of !== volume || this.reduced.start !== slice.start || this.reduced.copy.factor !== factor) {
      this.reduced = { of: volume, start: slice.start, copy: reduceSlice(volume, slice, factor) };
    }
    return this.reduced.copy;
  }

  private sideways(volume: Volume, { start }: Slice): Reduced {
    const [number] = voxelOfIndex(this.shape, start);
    this.block = blockAround(this.block, volume, this.plane, this.shape, number);
    return sliceIn(this.block, number);
  }

  /** The mask's own slice, or a copy of it that neighbours were copied with; the copy is of one version of the mask. */
  private labelsOf(mask: Uint8Array, version: number | undefined, slice: Slice): { values: Uint8Array; slice: Slice } {
    if (this.masked?.values !== mask || this.masked.version !== version) this.masked = { ...wholeVolume(mask, this.shape), values: mask, version };
    if (version === undefined || !liesAcross(this.plane, this.masked, this.shape)) return { values: mask, slice };
    const [number] = voxelOfIndex(this.shape, slice.start);
    this.maskBlock = blockAround(this.maskBlock, this.masked, this.plane, this.shape, number);
    const { volume, slice: drawn } = sliceIn(this.maskBlock, number);
    return { values: volume.values as Uint8Array, slice: drawn };
  }

  /** `change`: what differs from the last call: the view, the pixels within a part of the slice, or anything. */
  paintLabels(layers: LabelLayers, slice: Slice, view: Viewport, smooth: boolean, change: Change): void {
    const place = this.place(view);
    const filled = layers.mask !== null && !layers.style.outline && !layers.proposal && !layers.prompted && !layers.hypothesis && layers.people.length === 0;
    const partly = typeof change === "object" && filled && this.coloursFor === fillState(slice, layers.style);
    const context = partly ? this.clippedTo(change, place) : this.cleared(this.canvases.labels);
    if (layers.heat) this.paintHeat(context, layers.heat, slice, place, smooth);
    if (layers.mask && !layers.style.outline) this.paintFill(context, layers.mask, layers, slice, place, change);
    if (layers.proposal) this.paintOutlines(context, layers.proposal, slice, place, layers.style, "dashed");
    if (layers.mask && layers.style.outline) this.paintOutlines(context, layers.mask, slice, place, layers.style, "plain");
    if (layers.prompted) this.paintGhost(context, layers.prompted, slice, place, layers.style);
    if (layers.hypothesis) this.paintOutlines(context, layers.hypothesis, slice, place, layers.style, "edged");
    this.paintPeople(context, layers.people, slice, place);
    if (!layers.mask || layers.style.outline) this.coloursFor = "";
    if (partly) context.restore();
  }

  /** A context for the head-up canvas, emptied, in CSS pixels. */
  headContext(): CanvasRenderingContext2D {
    return this.cleared(this.canvases.head);
  }

  private paintFill(
    context: CanvasRenderingContext2D,
    mask: Uint8Array,
    { style, version }: LabelLayers,
    slice: Slice,
    place: Placement,
    change: Change,
  ): void {
    const state = fillState(slice, style);
    const emptied = this.colours.fit(slice);
    const known = !emptied && state === this.coloursFor;
    this.coloursFor = state;
    if (!known || change !== "view") {
      const part = known && typeof change === "object" ? change : undefined;
      const source = this.labelsOf(mask, version, slice);
      drawTable(this.colours.pixels, source.values, source.slice, labelTable(shownOf(style), style.opacity), 255, part);
      this.colours.commit(part);
    }
    this.colours.stretchOnto(context, place, false);
  }

  private paintHeat(context: CanvasRenderingContext2D, { map, colours, opacity, shown }: Heat, slice: Slice, place: Placement, smooth: boolean): void {
    const state = `${slice.start} ${opacity}`;
    if (this.heat.fit(slice) || state !== this.heatFor || map !== this.heatOf || (shown?.of ?? null) !== this.heatBorder) {
      this.heatOf = map;
      this.heatBorder = shown?.of ?? null;
      drawTable(this.heat.pixels, map, slice, colours(opacity));
      shown?.pixels(slice, this.plane).forEach((is, pixel) => {
        if (!is) this.heat.pixels[pixel] = 0;
      });
      this.heat.commit();
      this.heatFor = state;
    }
    this.heat.stretchOnto(context, place, smooth && place.sizeX > 1);
  }

  private paintOutlines(context: CanvasRenderingContext2D, mask: Uint8Array, slice: Slice, place: Placement, { labels, hidden }: LabelStyle, pen: Pen): void {
    context.setLineDash(pen === "dashed" ? [4, 3] : []);
    for (const value of labelsIn(mask, slice)) {
      if (hidden.has(value)) continue;
      const own = labels.find((label) => label.value === value)?.colour ?? "#ffffff";
      const path = pathOf(outlineOf(mask, slice, value), place);
      for (const [width, colour] of STROKES[pen]) {
        context.lineWidth = width;
        context.strokeStyle = colour ?? own;
        context.stroke(path);
      }
    }
    context.setLineDash([]);
  }

  private paintGhost(
    context: CanvasRenderingContext2D,
    { mask, runs }: NonNullable<LabelLayers["prompted"]>,
    slice: Slice,
    place: Placement,
    style: LabelStyle,
  ): void {
    const ghost = ghostOf(mask, runs, slice, this.plane, this.shape);
    if (!ghost) return;
    const drawn: Slice = { start: 0, right: 1, down: slice.width, width: slice.width, height: slice.height };
    const labels = style.labels.filter(({ value }) => ghost.labels.has(value));
    const hidden = new Set(labelsIn(ghost.after, drawn).filter((value) => !ghost.labels.has(value)));
    this.paintOutlines(context, ghost.after, drawn, place, { ...style, labels, hidden }, "edged");
    this.paintOutlines(context, ghost.lost, drawn, place, { ...style, labels: [], hidden: new Set() }, "dashed");
  }

  /** Dark edges below all colours; from the second person on dashed, so that borders that coincide show each colour. */
  private paintPeople(context: CanvasRenderingContext2D, people: readonly Outlined[], slice: Slice, place: Placement): void {
    const paths = people.map(({ mask, label }) => {
      const values = labelsIn(mask, slice).filter((value) => label === null || label === value);
      return pathOf(
        values.flatMap((value) => outlineOf(mask, slice, value)),
        place,
      );
    });
    context.lineWidth = 4;
    context.strokeStyle = "rgba(0,0,0,0.6)";
    for (const path of paths) context.stroke(path);
    context.lineWidth = 2;
    people.forEach(({ colour }, n) => {
      context.setLineDash(n === 0 ? [] : [7, 3 + 4 * n]);
      context.strokeStyle = colour;
      context.stroke(paths[n]!);
    });
    context.setLineDash([]);
  }

  /** The label canvas with only the changed part open for drawing, and emptied; whole device pixels, so that no seam shows. */
  private clippedTo(part: Rect, place: Placement): CanvasRenderingContext2D {
    const { ratio } = this.size;
    const left = Math.floor((place.originX + part.left * place.sizeX) * ratio - 1) / ratio;
    const top = Math.floor((place.originY + part.top * place.sizeY) * ratio - 1) / ratio;
    const right = Math.ceil((place.originX + part.right * place.sizeX) * ratio + 1) / ratio;
    const bottom = Math.ceil((place.originY + part.bottom * place.sizeY) * ratio + 1) / ratio;
    const context = this.canvases.labels.getContext("2d")!;
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    return context;
  }

  private cleared(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(this.size.ratio, 0, 0, this.size.ratio, 0, 0);
    return context;
  }
}

/** Widths and colours of the lines of a pen, one over the other; null is the label's own colour. */
const STROKES: Record<Pen, readonly (readonly [width: number, colour: string | null])[]> = {
  plain: [[1.75, null]],
  dashed: [[1.25, "#ffffff"]],
  edged: [
    [5, "rgba(0,0,0,0.75)"],
    [2.25, null],
    [0.75, "#ffffff"],
  ],
};

function pathOf(lines: readonly number[], place: Placement): Path2D {
  const path = new Path2D();
  for (let n = 0; n < lines.length; n += 4) {
    path.moveTo(place.originX + lines[n]! * place.sizeX, place.originY + lines[n + 1]! * place.sizeY);
    path.lineTo(place.originX + lines[n + 2]! * place.sizeX, place.originY + lines[n + 3]! * place.sizeY);
  }
  return path;
}

const wholeVolume = (mask: Uint8Array, shape: Triple): Volume => ({ shape, channels: 1, values: mask, voxels: mask.length, received: mask.length });

const shownOf = ({ labels, hidden }: LabelStyle): readonly LabelColour[] => labels.filter(({ value }) => !hidden.has(value));

/** What a filled layer was drawn from, apart from the mask's own values. */
function fillState(slice: Slice, style: LabelStyle): string {
  return `${slice.start} ${style.opacity} ${shownOf(style)
    .map((label) => label.value + label.colour)
    .join()}`;
}
