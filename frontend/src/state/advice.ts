/** What the model says about a case beyond its proposal; each part is fetched when the reader asks for it. */
import { signal } from "@preact/signals";
import type { Method, Region, Similar, SuggestedPrompt, Triple } from "../api/types";
import { Question } from "./question";

/** A place worth a look. */
export interface Look {
  /** The server's number, for its log; null for places that the page found by itself. */
  number: number | null;
  voxel: Triple;
  /** The axis a slice is perpendicular to; null for a region. */
  axis: number | null;
  region: Region | null;
  /** What a look should find, in words. */
  expected: string;
  seen: boolean;
}

export interface Hypothesis {
  mask: Uint8Array;
  /** Share of the model's samples that say so. */
  weight: number;
}

export interface Alternatives {
  hypotheses: Hypothesis[];
  suggested: SuggestedPrompt[];
}

/** `map`: bytes of int8, positive where the image speaks for the label. */
export interface Reason {
  label: number;
  method: Method;
  map: Uint8Array;
  gap: number | null;
}

export class Advice {
  /** The line below the image: what was shown or done last. */
  readonly message = signal("");
  readonly looks = signal<readonly Look[]>([]);
  readonly look = signal(-1);
  /** The looks while they are asked for. */
  requested: Promise<readonly Look[]> | null = null;
  /** Visits go to the log one after the other. */
  logged: Promise<void> = Promise.resolve();
  readonly alternatives = new Question<Alternatives>();
  /** Which hypothesis is drawn; -1 for none. */
  readonly hypothesis = signal(-1);
  readonly reason = new Question<Reason>();
  readonly similar = new Question<Similar>();
  readonly reasonShown = signal(false);
  /** What this visit called wrong, by label: a newer objection replaces the earlier one, so each holds all boxes. */
  readonly objected = signal<ReadonlyMap<number, readonly Region[]>>(new Map());
  readonly objectionWords = signal("");
  /** A box drawn by the reader, to take a hypothesis in or to object to. */
  readonly region = signal<Region | null>(null);
  private readonly left = new AbortController();

  /** Aborts when the case is left. */
  get leaving(): AbortSignal {
    return this.left.signal;
  }

  get drawnHypothesis(): Hypothesis | null {
    return this.alternatives.value?.hypotheses[this.hypothesis.value] ?? null;
  }

  get drawnReason(): Reason | null {
    return this.reasonShown.value ? this.reason.value : null;
  }

  /** The boxes that do not count for the label of the reason drawn. */
  get drawnObjections(): readonly Region[] {
    return (this.drawnReason && this.objected.value.get(this.drawnReason.label)) ?? [];
  }

  close(): void {
    this.left.abort();
    for (const question of [this.alternatives, this.reason, this.similar]) question.callOff();
  }
}
