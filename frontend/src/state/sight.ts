/** Whether a case has been looked at: nothing is submitted before it was drawn, whole, for a moment. */

/** Shorter than the quickest honest look, longer than a second press meant for the case before. */
export const LOOK_MS = 600;

export class Sight {
  private since: number | null = null;
  /** Why the moment is not over. */
  reason = "This case came onto the screen only now";

  /** The image and the mask on it were drawn from everything there is. Times are milliseconds of one steady clock. */
  painted(now: number): void {
    this.since ??= now;
  }

  /** Pressed too early: the keys must rest before they are believed, so that a key repeated without saying so gets nowhere. */
  tooEarly(now: number): void {
    if (this.since !== null) this.since = Math.max(this.since, now - LOOK_MS / 2);
  }

  /** Another mask than the one that was looked at is about to be drawn, unasked: the moment begins again with it. */
  renew(reason = this.reason): void {
    [this.since, this.reason] = [null, reason];
  }

  /** The window is out of sight before the moment was over: it begins again when the window is back. */
  hidden(now: number): void {
    if (this.since !== null && !this.isOver(now)) this.since = Number.POSITIVE_INFINITY;
  }

  back(now: number): void {
    if (this.since === Number.POSITIVE_INFINITY) this.since = now;
  }

  isOver(now: number): boolean {
    return this.since !== null && now - this.since >= LOOK_MS;
  }
}
