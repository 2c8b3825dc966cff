/**
 * What somebody's work on a case takes in one session, that is one load of the page: active and idle seconds between signs of life,
 * and what was done. Looking at an image gives no sign, so silence counts up to a limit; what lies beyond it was a pause. A page
 * that is hidden, or beside one that is worked in, counts nothing. All times are milliseconds of one clock that only goes forward.
 */

import type { EffortBody } from "../api/types";

/** Of a longer silence no more counts. */
export const PAUSE_SECONDS = 30;

/** All that a page knows of a session; without a mask to draw on there are no strokes to know of. */
export type EffortReport = EffortBody & { active_seconds: number; ago_seconds: number };

const tenth = (seconds: number): number => Math.round(seconds * 10) / 10;

export class EffortTimer {
  private worked = 0;
  private rested = 0;
  private last: number;
  private away = false;
  private firstStroke: number | null = null;
  private firstSight: EffortBody["proposal"] = null;
  /** What is on the screen of a proposal now. */
  proposal: () => EffortBody["proposal"] = () => null;
  private readonly slices = new Set<string>();
  private strokes = 0;
  private prompts = 0;
  private undos = 0;

  /** `earlier`: seconds of other sessions on the same case. */
  constructor(
    private begun: number,
    private readonly earlier = 0,
    private session = "",
  ) {
    this.last = begun;
  }

  /** Something was done here. */
  beat(now: number): void {
    this.settle(now);
    this.away = false;
  }

  /** The page is hidden, or its reader works in another one. */
  leave(now: number): void {
    this.settle(now);
    this.away = true;
  }

  /** Active seconds of all sessions. */
  seconds(now: number): number {
    return this.earlier + this.worked + this.since(now);
  }

  /** How long ago the last sign of life was. */
  ago(now: number): number {
    return Math.max(0, (now - this.last) / 1000);
  }

  did(what: "strokes" | "prompts" | "undos", now: number): void {
    this[what]++;
    if (what !== "undos") this.changed(now);
  }

  /** The annotation was changed. */
  changed(now: number): void {
    if (this.firstStroke !== null) return;
    this.firstStroke = Math.max(0, now - this.begun) / 1000;
    this.firstSight = this.proposal();
  }

  /** A slice of an axis is on the screen. */
  sees(axis: number, slice: number): void {
    this.slices.add(`${axis}:${slice}`);
  }

  /** All of this session so far. */
  report(now: number, draws: boolean): EffortReport {
    return {
      session: this.session,
      active_seconds: tenth(this.worked + this.since(now)),
      idle_seconds: tenth(this.rested + this.ago(now) - this.since(now)),
      ...(this.firstStroke !== null && { first_stroke_seconds: tenth(this.firstStroke) }),
      ...(this.firstSight && { proposal: this.firstSight }),
      ...(draws && { strokes: this.strokes, prompts: this.prompts, undos: this.undos }),
      slices_viewed: this.slices.size,
      ago_seconds: this.ago(now),
    };
  }

  /** What comes belongs to another session, and what was counted to the one before. */
  startOver(now: number, session: string): void {
    [this.worked, this.rested, this.strokes, this.prompts, this.undos] = [0, 0, 0, 0, 0];
    [this.begun, this.last, this.firstStroke, this.session] = [now, now, null, session];
    this.slices.clear();
  }

  private settle(now: number): void {
    if (now <= this.last) return;
    const counted = this.since(now);
    this.worked += counted;
    this.rested += (now - this.last) / 1000 - counted;
    this.last = now;
  }

  private since(now: number): number {
    return this.away ? 0 : Math.min(PAUSE_SECONDS, Math.max(0, (now - this.last) / 1000));
  }
}
