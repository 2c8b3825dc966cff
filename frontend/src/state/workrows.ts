/**
 * The worklist as far as it was looked at: lines come in parts, each behind a cursor of the part before it where that is known. However
 * long the list is, only what is on the screen is drawn.
 */
import { signal } from "@preact/signals";
import { listCases } from "../api/calls";
import type { CaseLine, RoundCases } from "../api/types";
import type { Filters } from "./filters";
import { tellError } from "./notices";

export const PART = 100;

/** A line of the list as it is drawn: a case, or the head of a round's cases. */
export type Slot = { row: number } | { round: number | null; cases: number };

/** Where heads and cases stand when they are grouped; without rounds every line is a case. */
export class Slots {
  private readonly heads: number[] = [];

  constructor(
    private readonly rounds: readonly RoundCases[],
    private readonly total: number,
  ) {
    let at = 0;
    for (const { cases } of rounds) {
      this.heads.push(at);
      at += cases + 1;
    }
  }

  get count(): number {
    return this.total + this.heads.length;
  }

  at(slot: number): Slot {
    const group = this.heads.findLastIndex((head) => head <= slot);
    if (group < 0) return { row: slot };
    return this.heads[group] === slot ? { ...this.rounds[group]! } : { row: slot - group - 1 };
  }

  /** The slot of a case. */
  of(row: number): number {
    return row + this.heads.filter((head, group) => head - group <= row).length;
  }
}

/** The slots to draw: those in view, and some on either side. */
export function inView(top: number, height: number, line: number, count: number, more: number): [first: number, last: number] {
  const first = Math.floor(Math.max(0, top) / line) - more;
  const last = Math.ceil(Math.max(0, top + height) / line) + more;
  return [Math.max(0, Math.min(first, count)), Math.max(0, Math.min(last, count))];
}

export class WorkRows {
  readonly total = signal<number | null>(null);
  readonly slots = signal(new Slots([], 0));
  /** Goes up with every part that came. */
  readonly version = signal(0);
  private rows = new Map<number, CaseLine>();
  /** Part → cursor behind the part before it. */
  private cursors = new Map<number, string>();
  private asked = new Map<number, AbortController>();
  private shown: [first: number, last: number] = [0, 0];

  constructor(
    private readonly project: string,
    readonly filters: Filters,
  ) {}

  row(index: number): CaseLine | undefined {
    return this.rows.get(index);
  }

  /** Lines that are here, in order. */
  known(from: number, to: number): CaseLine[] {
    const found: CaseLine[] = [];
    for (let index = Math.min(from, to); index <= Math.max(from, to); index++) {
      const line = this.rows.get(index);
      if (line) found.push(line);
    }
    return found;
  }

  /** These lines are on the screen: fetch what is missing of them. */
  show(first: number, last: number): void {
    this.shown = [first, Math.max(first, last)];
    for (const part of this.partsShown()) if (!this.rows.has(part * PART) && (this.total.value === null || part * PART < this.total.value)) this.fetch(part);
  }

  /** Something changed: what is on the screen is fetched again, everything else when it is looked at. */
  refresh(): void {
    for (const request of this.asked.values()) request.abort();
    this.asked.clear();
    this.cursors.clear();
    const parts = this.partsShown();
    for (const index of this.rows.keys()) if (!parts.includes(Math.floor(index / PART))) this.rows.delete(index);
    for (const part of parts) this.fetch(part);
  }

  close(): void {
    for (const request of this.asked.values()) request.abort();
  }

  /** Ids of all lines. */
  async ids(): Promise<string[]> {
    const found: string[] = [];
    let after = "";
    do {
      const page = await listCases(this.project, this.filters, { limit: 1000, after });
      found.push(...page.rows.map(({ id }) => id));
      after = page.cursor;
    } while (after);
    return found;
  }

  private partsShown(): number[] {
    const [first, last] = this.shown.map((index) => Math.floor(index / PART)) as [number, number];
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  }

  private fetch(part: number): void {
    if (this.asked.has(part)) return;
    const request = new AbortController();
    this.asked.set(part, request);
    const behind = [...this.cursors.keys()].filter((known) => known <= part).sort((a, b) => b - a)[0] ?? 0;
    const query = { limit: PART, offset: (part - behind) * PART, after: this.cursors.get(behind) ?? "" };
    listCases(this.project, this.filters, query, request.signal)
      .then((page) => {
        for (let n = 0; n < PART; n++) {
          const line = page.rows[n];
          if (line) this.rows.set(part * PART + n, line);
          else this.rows.delete(part * PART + n);
        }
        if (page.cursor) this.cursors.set(part + 1, page.cursor);
        this.total.value = page.total;
        this.slots.value = new Slots(page.rounds, page.total);
        this.version.value++;
      })
      .catch((error: unknown) => request.signal.aborted || tellError(error))
      .finally(() => this.asked.get(part) === request && this.asked.delete(part));
  }
}
