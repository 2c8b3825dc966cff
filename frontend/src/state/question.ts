/** Something that is worked out when a reader asks: seconds may pass, so it can be called off, and only the newest question counts. */
import { signal } from "@preact/signals";
import { explain } from "../api/errors";

export type Answer<T> = { state: "none" } | { state: "asking" } | { state: "there"; value: T } | { state: "refused"; line: string };

export class Question<T> {
  readonly answer = signal<Answer<T>>({ state: "none" });
  private flight: AbortController | null = null;

  /** The answer, once it is there; null before, and when it was refused. */
  get value(): T | null {
    const { value } = this.answer;
    return value.state === "there" ? value.value : null;
  }

  get asking(): boolean {
    return this.answer.value.state === "asking";
  }

  async ask(read: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.callOff();
    const flight = new AbortController();
    this.flight = flight;
    this.answer.value = { state: "asking" };
    const settle = (answer: Answer<T>): void => {
      if (this.flight === flight) this.answer.value = answer;
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
    this.answer.value = { state: "none" };
  }
}

/** Rule and remedy in one line. */
export function lineOf(error: unknown): string {
  const { message, remedy } = explain(error);
  return remedy ? `${message}: ${remedy}` : message;
}
