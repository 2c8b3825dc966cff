/** Something that is worked out when a reader asks: seconds may pass, so it can be called off, and only the newest question counts. */
import { signal } from "@preact/signals";
import { explain } from "../api/errors";

export type Outcome<T> = { state: "none" } | { state: "pending" } | { state: "there"; value: T } | { state: "refused"; line: string };

export class Question<T> {
  readonly outcome = signal<Outcome<T>>({ state: "none" });
  private flight: AbortController | null = null;

  /** The answer, once it is there; null before, and when it was refused. */
  get value(): T | null {
    const { value } = this.outcome;
    return value.state === "there" ? value.value : null;
  }

  get pending(): boolean {
    return this.outcome.value.state === "pending";
  }

  async request(read: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.callOff();
    const flight = new AbortController();
    this.flight = flight;
    this.outcome.value = { state: "pending" };
    const settle = (outcome: Outcome<T>): void => {
      if (this.flight === flight) this.outcome.value = outcome;
    };
    await read(flight.signal).then(
      (value) => settle({ state: "there", value }),
      (error: unknown) => settle({ state: "refused", line: lineOf(error) }),
    );
  }

  /** Nobody waits for it any more. */
  callOff(): void {
    this.flight?.abort();
    this.flight = null;
    this.outcome.value = { state: "none" };
  }
}

/** Rule and remedy in one line. */
export function lineOf(error: unknown): string {
  const { message, remedy } = explain(error);
  return remedy ? `${message}: ${remedy}` : message;
}
