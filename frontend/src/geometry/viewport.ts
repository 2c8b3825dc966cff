/** Which part of a slice a pane shows: zoom and pan in millimetres, so that a drawn circle is a real circle. */
import type { PlaneHeader, Triple } from "../api/types";
import type { Pixel } from "./plane";

export interface Viewport {
  /** 1 fits the whole slice into the pane. */
  zoom: number;
  /** The point of the slice at the pane's centre, in mm from the slice's centre. */
  panX: number;
  panY: number;
}

/** Maps drawn pixels of a slice to points of a pane: point = origin + pixel · size. Pixel (0, 0) is centred half a size inside. */
export interface Placement {
  originX: number;
  originY: number;
  sizeX: number;
  sizeY: number;
  /** Points of the pane per millimetre. */
  perMm: number;
}

export const FITTED: Viewport = { zoom: 1, panX: 0, panY: 0 };
const MIN_ZOOM = 0.25;
const MAX_ZOOM = 40;
/** Share of the pane left free around a fitted slice. */
const MARGIN = 0.96;

export function placeSlice(plane: PlaneHeader, shape: Triple, paneWidth: number, paneHeight: number, view: Viewport): Placement {
  const widthMm = shape[plane.x_axis]! * plane.x_spacing_mm;
  const heightMm = shape[plane.y_axis]! * plane.y_spacing_mm;
  const perMm = Math.min(paneWidth / widthMm, paneHeight / heightMm) * MARGIN * view.zoom;
  return {
    originX: paneWidth / 2 - (widthMm / 2 + view.panX) * perMm,
    originY: paneHeight / 2 - (heightMm / 2 + view.panY) * perMm,
    sizeX: plane.x_spacing_mm * perMm,
    sizeY: plane.y_spacing_mm * perMm,
    perMm,
  };
}

/** The point of the pane at a pixel's centre. */
export const pointOfPixel = (place: Placement, pixel: Pixel): Pixel => ({
  x: place.originX + (pixel.x + 0.5) * place.sizeX,
  y: place.originY + (pixel.y + 0.5) * place.sizeY,
});

/** The fractional pixel under a point of the pane; whole numbers are pixel centres. */
export const pixelOfPoint = (place: Placement, point: Pixel): Pixel => ({
  x: (point.x - place.originX) / place.sizeX - 0.5,
  y: (point.y - place.originY) / place.sizeY - 0.5,
});

/** Zoom by a factor while the slice stays put under a point (given from the pane's centre). */
export function zoomAt(view: Viewport, factor: number, place: Placement, fromCentre: Pixel): Viewport {
  const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, view.zoom * factor));
  const keep = (1 - view.zoom / zoom) / place.perMm;
  return { zoom, panX: view.panX + fromCentre.x * keep, panY: view.panY + fromCentre.y * keep };
}

export function panBy(view: Viewport, place: Placement, dx: number, dy: number): Viewport {
  return { ...view, panX: view.panX - dx / place.perMm, panY: view.panY - dy / place.perMm };
}
