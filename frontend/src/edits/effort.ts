/**
 * Counts the seconds somebody works on a case: time between signs of life. Reading gives none, so silence counts up to a limit;
 * what lies beyond it was a pause. The count never falls.
 */

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
    if (now <= this.last) return;
    this.worked += this.since(now);
    this.last = now;
  }

  seconds(now: number): number {
    return this.worked + this.since(now);
  }

  private since(now: number): number {
    return Math.min(IDLE_SECONDS, Math.max(0, (now - this.last) / 1000));
  }
}
