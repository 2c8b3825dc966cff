/** What the page measured about itself; read by tests and shown in the help overlay. */
export const measures = {
  /** From a gesture to its pixels, the latest. */
  lastPaintMs: 0,
  /** From opening a case to its first drawn slice, the latest. */
  firstImageMs: 0,
  /** From opening a case until its whole volume was there, the latest. */
  completeMs: 0,
};
