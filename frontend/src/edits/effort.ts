/** Counts the seconds somebody works on a case: time between signs of life, unless they are a minute apart. */

/** A longer silence is a coffee, not work. */
export const IDLE_SECONDS = 60;

export class EffortTimer {
  private worked: number;
  private last: number;

  /** Times are milliseconds of one steady clock. */
  constructor(now: number, already = 0) {
    this.worked = already;
    this.last = now;
  }

  /** Something was done. */
  beat(now: number): void {
    this.worked += this.since(now);
    this.last = now;
  }

  seconds(now: number): number {
    return this.worked + this.since(now);
  }

  private since(now: number): number {
    const silence = Math.max(0, (now - this.last) / 1000);
    return silence > IDLE_SECONDS ? 0 : silence;
  }
}
