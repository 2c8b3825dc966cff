/**
 * Sends prompts to be answered. A newer prompt does not wait: it goes at once and carries along the ones whose answer is
 * still out, which the server then stops computing. Whatever the order in which answers come back, each prompt ends up
 * saved once, or is handed to `refused`. Prompts made under different locks never travel together.
 */
import { ApiError } from "../api/errors";
import type { Prompt, Refined } from "../api/types";

export interface PromptWiring {
  /** Resolves when every edit made so far is saved; rejects when one was refused. */
  flushed: () => Promise<void>;
  /** The draft's newest revision that is known here. */
  revision: () => number;
  /** Prompts in order, the newest last. */
  send: (base: number, prompts: readonly Prompt[], locked: readonly number[]) => Promise<Refined>;
  apply: (refined: Refined, prompts: readonly Prompt[]) => void;
  refused: (error: unknown) => void | Promise<void>;
  onBusy: (busy: boolean) => void;
}

export class PromptQueue {
  /** Prompts that no answer has saved yet. */
  private open: Prompt[] = [];
  /** The labels that are locked for them. */
  private locked: readonly number[] = [];
  /** Prompts made under other locks, which wait until those are saved. */
  private later: Prompt[] = [];
  private newest = 0;
  private readonly flights = new Set<Promise<void>>();
  /** What later prompts wait for. */
  private gate: Promise<void> = Promise.resolve();

  constructor(private readonly wiring: PromptWiring) {}

  get busy(): boolean {
    return this.flights.size > 0;
  }

  get pending(): readonly Prompt[] {
    return [...this.open, ...this.later];
  }

  add(prompt: Prompt, locked: readonly number[] = []): void {
    if (this.pending.length > 0 && (this.later.length > 0 || locked.join() !== this.locked.join())) return this.wait(prompt, locked);
    this.locked = locked;
    this.open.push(prompt);
    const [number, gate] = [++this.newest, this.gate];
    this.launch((others) => gate.then(() => this.complete(number, others)));
  }

  /** Something else that changes the draft and must not meet a prompt: a removal. */
  alone(act: () => Promise<void>): void {
    this.gate = this.launch((others) => Promise.all(others).then(act));
  }

  /** Resolves when nothing is out any more. */
  async settled(): Promise<void> {
    while (this.flights.size > 0) await Promise.all(this.flights);
  }

  private wait(prompt: Prompt, locked: readonly number[]): void {
    this.later.push(prompt);
    this.alone(() => {
      this.later.shift();
      this.locked = locked;
      this.open.push(prompt);
      return this.complete(++this.newest, []);
    });
  }

  private launch(act: (others: readonly Promise<void>[]) => Promise<void>): Promise<void> {
    const flight: Promise<void> = act([...this.flights])
      .catch((error: unknown) => this.wiring.refused(error))
      .finally(() => {
        this.flights.delete(flight);
        this.wiring.onBusy(this.busy);
      });
    this.flights.add(flight);
    this.wiring.onBusy(true);
    return flight;
  }

  private async complete(number: number, older: readonly Promise<void>[]): Promise<void> {
    try {
      await this.wiring.flushed();
    } catch {
      this.open = []; // whoever refused the edits tells; prompts on top of them are void
      return;
    }
    if (number !== this.newest || this.open.length === 0) return;
    const [base, batch] = [this.wiring.revision(), [...this.open]];
    try {
      const refined = await this.wiring.send(base, batch, this.locked);
      this.close(batch);
      this.wiring.apply(refined, batch);
    } catch (error) {
      if (number !== this.newest) return; // the newer one carries these prompts
      const overtaken = hasCode(error, "cancelled") && older.length > 0;
      if (overtaken || hasCode(error, "stale_revision")) await Promise.allSettled(older);
      if (overtaken || (hasCode(error, "stale_revision") && this.wiring.revision() !== base)) return this.again();
      this.close(batch);
      await this.wiring.refused(error);
    }
  }

  /** An older request overtook this one or was saved after all: what it did not hold is asked once more, on top of it. */
  private async again(): Promise<void> {
    if (this.open.length > 0) await this.complete(++this.newest, []);
  }

  private close(batch: readonly Prompt[]): void {
    this.open = this.open.filter((prompt) => !batch.includes(prompt));
  }
}

const hasCode = (error: unknown, code: string): boolean => error instanceof ApiError && error.code === code;
