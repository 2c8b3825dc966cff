/**
 * Sends patches one after the other and never forgets one: each is kept in the browser until the server
 * confirms it. A passing failure (no network, 5xx) is retried with growing pauses; a refusal (409, 422)
 * stops the queue and is handed to the caller, who decides with `restart`.
 */
import { isPassing } from "../api/errors";
import type { Link, Run } from "../api/types";
import { type Step, stepOf } from "./runs";
import type { KeptPatch, PatchStorage } from "./storage";

export type SaveState = "saved" | "saving" | "offline" | "refused";

export interface QueueWiring {
  assignment: string;
  project: string;
  caseId: string;
  tab: string;
  person: string;
  revision: number;
  storage: PatchStorage;
  send: (base: number, runs: Run[], link?: Link) => Promise<number>;
  /** Resolves after the pause; injected so that tests need no clock. */
  pause: (milliseconds: number) => Promise<void>;
  onState: (state: SaveState, pending: number, revision: number) => void;
  onRefused: (error: unknown) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;
/** The server accepts 200,000 runs per patch; a half keeps the request small. */
export const MAX_RUNS = 100000;

/** What the later parts of a patch that is sent in parts say of it, too. */
const sourceOf = (link?: Link): Link | undefined => (link?.taken && { taken: true }) || (link?.propagated && { propagated: true }) || undefined;

/** Queues that were closed while they sent. */
const leaving = new Set<Promise<void>>();

/** Resolves when no closed queue sends any more, so that a draft read afterwards holds what they saved. */
export async function leftQueues(): Promise<void> {
  await Promise.all(leaving);
}

export class PatchQueue {
  private waiting: KeptPatch[] = [];
  /** Numbers go on from one queue of a window to the next, so that none takes the place of another in the browser. */
  private static seq = Date.now();
  private pumping = false;
  private closed = false;
  private pumped: Promise<void> = Promise.resolve();
  private confirmed: number;
  private state: SaveState = "saved";
  private wake: () => void = () => undefined;
  private watchers: (() => void)[] = [];

  constructor(private readonly wiring: QueueWiring) {
    this.confirmed = wiring.revision;
  }

  get revision(): number {
    return this.confirmed;
  }

  get pending(): number {
    return this.waiting.length;
  }

  push(runs: Run[], link?: Link): void {
    if (runs.length === 0 && !link) return;
    for (let from = 0; from === 0 || from < runs.length; from += MAX_RUNS) this.keep(runs.slice(from, from + MAX_RUNS), from === 0 ? link : sourceOf(link));
    if (this.state !== "refused") this.start();
    else this.tell("refused");
  }

  /** The server saved an edit that came another way: the answer to a prompt. */
  advance(revision: number): void {
    this.confirmed = revision;
    this.tell(this.state);
  }

  private keep(runs: Run[], link?: Link): void {
    const { assignment, tab, person, project, caseId, storage } = this.wiring;
    const base = this.confirmed + this.waiting.length;
    const patch: KeptPatch = { assignment, tab, person, seq: ++PatchQueue.seq, project, caseId, base, ...stepOf(runs, link), keptAt: Date.now() };
    this.waiting.push(patch);
    void storage.put(patch).catch(() => undefined);
  }

  /** Resolves when every patch is confirmed; rejects when the queue is refused. */
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

  /** Go on from the server's revision after a refusal, with these patches instead of the waiting ones. */
  restart(revision: number, patches: readonly Step[]): void {
    const replaced = this.waiting.splice(0);
    this.confirmed = revision;
    this.tell("saved");
    patches.forEach(({ runs, link }) => this.push(runs, link));
    for (const patch of replaced) void this.wiring.storage.remove(patch).catch(() => undefined);
  }

  /** The edits that the server has not confirmed, oldest first. */
  unconfirmed(): readonly KeptPatch[] {
    return this.waiting;
  }

  /** The case is left: what can be sent still goes; what fails now stays in the browser for the next visit. */
  close(): void {
    this.closed = true;
    this.wake();
    const last: Promise<void> = this.pumped.finally(() => leaving.delete(last));
    leaving.add(last);
  }

  private start(): void {
    if (this.pumping) this.tell(this.state === "offline" ? "offline" : "saving");
    else this.pumped = this.pump();
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    let pause = FIRST_PAUSE_MS;
    this.tell("saving");
    while (this.waiting.length > 0) {
      try {
        await this.sendFirst();
        pause = FIRST_PAUSE_MS;
        this.tell(this.waiting.length > 0 ? "saving" : "saved");
      } catch (error) {
        if (!isPassing(error)) {
          this.pumping = false;
          this.tell("refused");
          if (!this.closed) this.wiring.onRefused(error);
          return;
        }
        this.tell("offline");
        if (this.closed) break;
        await Promise.race([this.wiring.pause(pause), new Promise<void>((resolve) => (this.wake = resolve))]);
        if (this.closed) break;
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
      }
    }
    this.pumping = false;
  }

  private async sendFirst(): Promise<void> {
    const patch = this.waiting[0]!;
    this.confirmed = await this.wiring.send(this.confirmed, patch.runs, patch.link);
    this.waiting.shift();
    void this.wiring.storage.remove(patch).catch(() => undefined);
  }

  private tell(state: SaveState): void {
    this.state = state;
    this.wiring.onState(state, this.waiting.length, this.confirmed);
    this.watchers.splice(0).forEach((look) => look());
  }
}
