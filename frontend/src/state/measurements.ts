/** Measurements of a case: those kept, the one being placed, and the one in hand. */
import { signal } from "@preact/signals";
import type { Measurement, MeasurementBody, Triple } from "../api/types";
import type { Outbox } from "../edits/outbox";
import type { KeptMeasuring } from "../edits/storage";
import type { Placed } from "../volume/figures";

export class Measurements {
  /** As they are meant to be: what the server has not confirmed yet is among them. */
  readonly kept = signal<readonly Measurement[]>([]);
  /** Points placed so far of a measurement that is not complete. */
  readonly placing = signal<Placed | null>(null);
  /** A kept measurement one of whose ends is being moved. */
  readonly moving = signal<{ id: string; points: readonly Triple[] } | null>(null);
  readonly chosen = signal<string | null>(null);
  /** The label measured last: of what, and as which measurement. */
  taken: { body: MeasurementBody; id: string } | null = null;
  /** How many changes are on their way to the server. */
  readonly sending = signal(0);
  /** How many of those that wait end with the page, because the browser does not keep them. */
  readonly unkept = signal(0);
  /** Whether the server does not respond, so that they wait in this browser. */
  readonly offline = signal(false);
  /** Those taken away in this visit, to be brought back. */
  readonly removed = new Map<string, Measurement>();
  /** Null until something is sent. */
  outbox: Outbox<KeptMeasuring> | null = null;
  /** Resolves when what the server had is here. */
  loaded: Promise<void> = Promise.resolve();
}
