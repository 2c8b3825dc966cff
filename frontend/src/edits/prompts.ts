/** The prompts of a case: every one ever heard of by id, and which of them hold now, in the order given. */
import { signal } from "@preact/signals";
import type { Link, Prompt } from "../api/types";

export interface Given {
  id: string;
  prompt: Prompt;
}

export class PromptBook {
  readonly inForce = signal<readonly Given[]>([]);
  private known: Given[] = [];

  add(id: string, prompt: Prompt): void {
    this.known.push({ id, prompt });
    this.inForce.value = [...this.inForce.value, { id, prompt }];
  }

  /** A patch took prompts back or brought them back. */
  follow({ withdraws = [], restores = [] }: Link): void {
    const held = new Set(this.inForce.value.map(({ id }) => id));
    withdraws.forEach((id) => held.delete(id));
    restores.forEach((id) => held.add(id));
    this.inForce.value = this.known.filter(({ id }) => held.has(id));
  }

  /** Start over from what the server says. */
  reset(known: readonly Given[], inForce: readonly string[]): void {
    this.known = [...known];
    this.follow({ withdraws: this.inForce.value.map(({ id }) => id), restores: [...inForce] });
  }
}

/** Whether two prompts say exactly the same. */
export const samePrompt = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
