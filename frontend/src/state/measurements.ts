/** Measurements of a case: those kept on the server, the one being placed, and the one in hand. */
import { signal } from "@preact/signals";
import type { Measurement, Triple } from "../api/types";
import type { Placed } from "../volume/figures";

export class Measurements {
  readonly kept = signal<readonly Measurement[]>([]);
  /** Points placed so far of a measurement that is not complete. */
  readonly placing = signal<Placed | null>(null);
  /** A kept measurement one of whose ends is being moved. */
  readonly moving = signal<{ id: string; points: readonly Triple[] } | null>(null);
  readonly chosen = signal<string | null>(null);
  /** How many are on their way to the server. */
  readonly sending = signal(0);
}
