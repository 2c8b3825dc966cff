/**
 * Sends one thing after the other and never forgets one: each is kept in the browser until the server confirms it. A passing failure
 * (no network, 5xx) is retried with growing pauses; a refusal (409, 422) stops it, or drops what was refused.
 */
import { isPassing } from "../api/errors";
import type { Kept, KeptStorage } from "./storage";

export type SaveState = "saved" | "saving" | "offline" | "refused";

export interface OutboxWiring<Item extends Kept> {
  storage: KeptStorage<Item>;
  send: (item: Item) => Promise<void>;
  /** Resolves after the pause; injected so that tests need no clock. */
  pause: (milliseconds: number) => Promise<void>;
  /** `unkept`: how many of those pending the browser does not keep, so that they end with the page. */
  onState: (state: SaveState, pending: number, unkept: number) => void;
  /** The server refused one: everything is kept and nothing sent until `clear`. */
  onStopped?: (error: unknown) => void;
  /** The server refused one: it is dropped, with those that this names, and the rest goes out. */
  goOn?: (error: unknown, item: Item) => (other: Item) => boolean;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;

/** Outboxes that were closed while they sent. */
const leaving = new Set<Promise<void>>();

/** Resolves when no closed outbox sends any more, so that what is read afterwards holds what they saved. */
export async function leftOutboxes(): Promise<void> {
  await Promise.all(leaving);
}

export class Outbox<Item extends Kept> {
  private waiting: Item[] = [];
  /** Those that the browser refused to keep: its storage is full or forbidden. */
  private readonly refused = new Set<Item>();
  private pumping = false;
  private closed = false;
  private pumped: Promise<void> = Promise.resolve();
  private state: SaveState = "saved";
  private wake: () => void = () => undefined;
  private watchers: (() => void)[] = [];

  constructor(private readonly wiring: OutboxWiring<Item>) {}

  /** What the server has not confirmed, oldest first. */
  get unconfirmed(): readonly Item[] {
    return this.waiting;
  }

  /** Keep it; it goes out once `start` is called, or with what goes out already. */
  keep(item: Item): void {
    this.waiting.push(item);
    void this.wiring.storage.put(item).catch(() => {
      this.refused.add(item);
      if (this.waiting.includes(item)) this.repeat();
    });
  }

  start(): void {
    if (this.state === "refused") this.tell("refused");
    else if (this.pumping) this.tell(this.state === "offline" ? "offline" : "saving");
    else this.pumped = this.pump();
  }

  /** Say again how things are. */
  repeat(): void {
    this.tell(this.state);
  }

  /** Resolves when everything is confirmed; rejects when it is refused. */
  flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.waiting.length === 0) resolve();
        else if (this.state === "refused" || this.closed) reject(new Error("The edits are not saved"));
        else this.watchers.push(look);
      };
      look();
    });
  }

  /** Try again now instead of after the pause (the network came back). */
  retryNow(): void {
    this.wake();
  }

  /** After a refusal: nothing waits any more. What waited is still kept in the browser, until `forget`. */
  clear(): Item[] {
    const replaced = this.waiting.splice(0);
    this.tell("saved");
    return replaced;
  }

  forget(item: Item): void {
    void this.wiring.storage.remove(item).catch(() => undefined);
  }

  /** What can be sent still goes; what fails now stays in the browser for the next visit. */
  close(): void {
    this.closed = true;
    this.wake();
    const last: Promise<void> = this.pumped.finally(() => leaving.delete(last));
    leaving.add(last);
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    let pause = FIRST_PAUSE_MS;
    this.tell("saving");
    while (this.waiting.length > 0) {
      try {
        await this.wiring.send(this.waiting[0]!);
        this.forget(this.waiting.shift()!);
        pause = FIRST_PAUSE_MS;
        this.tell(this.waiting.length > 0 ? "saving" : "saved");
      } catch (error) {
        if (!isPassing(error)) {
          if (this.dropped(error)) continue;
          this.pumping = false;
          this.tell("refused");
          if (!this.closed) this.wiring.onStopped?.(error);
          return;
        }
        this.tell("offline");
        if (this.isOver) break;
        await Promise.race([this.wiring.pause(pause), new Promise<void>((resolve) => (this.wake = resolve))]);
        if (this.isOver) break;
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
      }
    }
    this.pumping = false;
  }

  /** Whether what was refused could be dropped, so that the rest goes out. */
  private dropped(error: unknown): boolean {
    const first = this.waiting[0]!;
    const goesToo = this.wiring.goOn?.(error, first);
    if (!goesToo) return false;
    const [gone, left] = [[] as Item[], [] as Item[]];
    for (const item of this.waiting) (item === first || goesToo(item) ? gone : left).push(item);
    this.waiting = left;
    gone.forEach((item) => this.forget(item));
    this.tell(left.length > 0 ? "saving" : "saved");
    return true;
  }

  /** Closed, and the browser keeps what waits; what it does not keep is tried for as long as the page lives. */
  private get isOver(): boolean {
    return this.closed && !this.waiting.some((item) => this.refused.has(item));
  }

  private get unkept(): number {
    const { storage } = this.wiring;
    return storage.lasting ? this.waiting.filter((item) => this.refused.has(item)).length : this.waiting.length;
  }

  private tell(state: SaveState): void {
    this.state = state;
    this.wiring.onState(state, this.waiting.length, this.unkept);
    this.watchers.splice(0).forEach((look) => look());
  }
}
