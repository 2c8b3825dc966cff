/** Sends the patches of a draft in order, each on the revision of the one before. A refusal is handed to the caller, who decides with `restart`. */
import type { Link, Run } from "../api/types";
import { Outbox, type SaveState } from "./outbox";
import { type Step, stepOf } from "./runs";
import type { KeptPatch, PatchStorage } from "./storage";

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
  onState: (state: SaveState, pending: number, revision: number, unkept: number) => void;
  onRefused: (error: unknown) => void;
}

/** The server accepts 200,000 runs per patch; a half keeps the request small. */
export const MAX_RUNS = 100000;

/** What the later parts of a patch that is sent in parts say of it, too. */
const sourceOf = (link?: Link): Link | undefined =>
  (link?.taken && { taken: true }) || (link?.propagated && { propagated: true }) || (link?.traced && { traced: true }) || undefined;

export class PatchQueue {
  /** Numbers go on from one queue of a window to the next, so that none takes the place of another in the browser. */
  private static seq = Date.now();
  private readonly outbox: Outbox<KeptPatch>;
  private confirmed: number;

  constructor(private readonly wiring: QueueWiring) {
    const { storage, send, pause, onState, onRefused } = wiring;
    this.confirmed = wiring.revision;
    this.outbox = new Outbox({
      storage,
      pause,
      send: async ({ runs, link }) => {
        this.confirmed = await send(this.confirmed, runs, link);
      },
      onState: (state, pending, unkept) => onState(state, pending, this.confirmed, unkept),
      onStopped: onRefused,
    });
  }

  get revision(): number {
    return this.confirmed;
  }

  get pending(): number {
    return this.outbox.unconfirmed.length;
  }

  push(runs: Run[], link?: Link): void {
    if (runs.length === 0 && !link) return;
    for (let from = 0; from === 0 || from < runs.length; from += MAX_RUNS) this.keep(runs.slice(from, from + MAX_RUNS), from === 0 ? link : sourceOf(link));
    this.outbox.start();
  }

  /** The server saved an edit that came another way: the answer to a prompt. */
  advance(revision: number): void {
    this.confirmed = revision;
    this.outbox.repeat();
  }

  private keep(runs: Run[], link?: Link): void {
    const { assignment, tab, person, project, caseId } = this.wiring;
    const base = this.confirmed + this.pending;
    this.outbox.keep({ assignment, tab, person, seq: ++PatchQueue.seq, project, caseId, base, ...stepOf(runs, link), keptAt: Date.now() });
  }

  /** Resolves when every patch is confirmed; rejects when the queue is refused. */
  flushed(): Promise<void> {
    return this.outbox.flushed();
  }

  /** Try again now instead of after the pause (the network came back). */
  retryNow(): void {
    this.outbox.retryNow();
  }

  /** Go on from the server's revision after a refusal, with these patches instead of the waiting ones. */
  restart(revision: number, patches: readonly Step[]): void {
    this.confirmed = revision;
    const replaced = this.outbox.clear();
    patches.forEach(({ runs, link }) => this.push(runs, link));
    replaced.forEach((patch) => this.outbox.forget(patch));
  }

  /** The edits that the server has not confirmed, oldest first. */
  unconfirmed(): readonly KeptPatch[] {
    return this.outbox.unconfirmed;
  }

  /** The case is left: what can be sent still goes; what fails now stays in the browser for the next visit. */
  close(): void {
    this.outbox.close();
  }
}
