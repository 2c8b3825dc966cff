/** One animation frame for all panes: whoever is dirty draws once, then the time from gesture to pixels is noted. */
import { measures } from "../browser/measures";

type Draw = () => void;

const waiting = new Map<object, Draw>();
let scheduled = false;
let inputAt = 0;

/** Ask for a drawing in the next frame; several requests of one owner become one. */
export function requestDraw(owner: object, draw: Draw): void {
  waiting.set(owner, draw);
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(drawAll);
}

/** Note when the gesture behind the next frame happened (an event's timeStamp). */
export function markInput(at: number): void {
  if (inputAt === 0) inputAt = at;
}

function drawAll(): void {
  scheduled = false;
  const draws = [...waiting.values()];
  waiting.clear();
  for (const draw of draws) draw();
  if (inputAt > 0) afterFrame.port2.postMessage(inputAt);
  inputAt = 0;
}

/** A message posted in a frame arrives after that frame was rasterised and handed to the compositor. */
const afterFrame = new MessageChannel();
afterFrame.port1.onmessage = (event: MessageEvent<number>) => {
  measures.lastPaintMs = performance.now() - event.data;
};
