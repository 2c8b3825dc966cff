/** A slice at its own resolution, kept beside the screen and stretched onto it. */
import type { Slice } from "../geometry/plane";
import type { Placement } from "../geometry/viewport";
import type { Rect } from "./slice";

export class SliceLayer {
  private readonly canvas = document.createElement("canvas");
  private image: ImageData | null = null;
  /** Nothing to see: most slices of a volume have no label. */
  private blank = true;
  pixels = new Uint32Array();

  /** Make the layer fit a slice; true when that emptied it. */
  fit(slice: Slice): boolean {
    if (this.image && this.canvas.width === slice.width && this.canvas.height === slice.height) return false;
    this.canvas.width = slice.width;
    this.canvas.height = slice.height;
    this.image = new ImageData(slice.width, slice.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    return true;
  }

  /** Take over the pixels, or the part of them that changed. */
  commit(part?: Rect): void {
    const context = this.canvas.getContext("2d", { willReadFrequently: true })!;
    this.blank = !part && isBlank(this.pixels);
    if (!part) context.putImageData(this.image!, 0, 0);
    else context.putImageData(this.image!, 0, 0, part.left, part.top, part.right - part.left, part.bottom - part.top);
  }

  /** `factor`: pixels of the slice per pixel of this layer. */
  stretchOnto(target: CanvasRenderingContext2D, place: Placement, smooth: boolean, factor = 1): void {
    if (this.blank) return;
    target.imageSmoothingEnabled = smooth;
    target.imageSmoothingQuality = place.sizeX * factor < 0.6 ? "medium" : "low";
    target.drawImage(this.canvas, place.originX, place.originY, this.canvas.width * factor * place.sizeX, this.canvas.height * factor * place.sizeY);
  }
}

function isBlank(pixels: Uint32Array): boolean {
  for (let n = 0; n < pixels.length; n++) if (pixels[n] !== 0) return false;
  return true;
}
