/** Frames of a film: when each is shown, and how it is called. */

/** Where the file does not say how fast its frames follow each other. */
export const USUAL_SECONDS = 1 / 25;

/** When each frame begins; by the usual rate where that is not known. */
export function timesOf(seconds: readonly number[], frames: number): number[] {
  return seconds.length === frames ? [...seconds] : Array.from({ length: frames }, (_, n) => n * USUAL_SECONDS);
}

/** How long a film lasts: its last frame stands as long as the one before. */
export function lengthOf(times: readonly number[]): number {
  const [last, before] = [times.at(-1) ?? 0, times.at(-2)];
  return last + (before === undefined || last <= before ? USUAL_SECONDS : last - before);
}

/** The frame that is shown so many seconds after a frame, from the first again behind the last. */
export function frameAfter(times: readonly number[], from: number, seconds: number): number {
  const at = ((times[from] ?? 0) + seconds) % lengthOf(times);
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle]! <= at + 1e-9) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** "Frame 3 of 40 · 0.08 s"; without seconds where they are not known. */
export function frameText(seconds: readonly number[], frames: number, number: number): string {
  const at = seconds.length === frames ? ` · ${secondsText(seconds[number]!)}` : "";
  return `Frame ${number + 1} of ${frames}${at}`;
}

export const secondsText = (seconds: number): string => `${seconds.toFixed(seconds < 100 ? 2 : 1)} s`;

/** "2, 5–9": numbers of frames as people count them. */
export function framesText(frames: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of frames) {
    const last = parts.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([first, last]) => (first === last ? `${first + 1}` : `${first + 1}–${last + 1}`)).join(", ");
}
