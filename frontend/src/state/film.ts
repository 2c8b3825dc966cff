/** Playing a film: its frames in their own time, from the first again behind the last, until somebody does something else. */
import { signal } from "@preact/signals";
import type { CaseHeader } from "../api/types";
import { frameAfter, timesOf } from "../geometry/frames";

export class Film {
  readonly playing = signal(false);
  private turn = 0;
  private readonly times: readonly number[];

  constructor(
    { frame_seconds, shape }: Pick<CaseHeader, "frame_seconds" | "shape">,
    private readonly here: () => number,
    private readonly show: (frame: number) => void,
    private readonly schedule: (draw: (now: number) => void) => void = (draw) => requestAnimationFrame(draw),
  ) {
    this.times = timesOf(frame_seconds, shape[2]);
  }

  /** Somebody who goes to another frame meanwhile is followed: it plays on from there. */
  play(): void {
    if (this.playing.value || this.times.length < 2) return;
    this.playing.value = true;
    const turn = ++this.turn;
    let [from, shown, since] = [this.here(), this.here(), Number.NaN];
    const draw = (now: number): void => {
      if (turn !== this.turn) return;
      if (Number.isNaN(since) || this.here() !== shown) [from, shown, since] = [this.here(), this.here(), now];
      const frame = frameAfter(this.times, from, (now - since) / 1000);
      shown = frame;
      if (frame !== this.here()) this.show(frame);
      this.schedule(draw);
    };
    this.schedule(draw);
  }

  stop(): void {
    this.turn++;
    this.playing.value = false;
  }

  toggle(): void {
    if (this.playing.value) this.stop();
    else this.play();
  }
}
