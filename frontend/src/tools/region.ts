/** Draws the reader's box on one slice. A click without a drag takes it away. */
import type { Region } from "../api/types";
import type { Pixel } from "../geometry/plane";
import { pixelOfPoint } from "../geometry/viewport";
import type { Drag, PaneContact } from "./contact";
import { boxBetween, isSlip } from "./prompting";

export function framing({ session, index, plane, place }: PaneContact, at: Pixel): Drag {
  const { region } = session.advice;
  const before = region.value;
  const page = { plane, shape: session.header.shape, number: session.sliceNumber(index) };
  const start = pixelOfPoint(place(), at);
  const boxTo = (end: Pixel): Region => {
    const box = boxBetween(start, end, page, 0);
    return { start: box.start, stop: box.stop };
  };
  return {
    draws: true,
    move(to) {
      region.value = boxTo(pixelOfPoint(place(), to));
    },
    end() {
      if (region.value === before || isSlip(region.value!)) region.value = null;
    },
    cancel() {
      region.value = before;
    },
  };
}
