/** The surfaces of a case's draft, made anew in a worker after each edit: one copy of the mask is under way at a time. */

import { effect, signal } from "@preact/signals";
import { membersOf } from "../edits/nested";
import type { Surface } from "../volume/surfaces";
import type { SurfaceReply } from "../volume/surfaceworker";
import type { CaseSession } from "./session";

/** Strokes that follow each other within this time are one change. */
const SETTLED_MS = 250;

export class Surfaces {
  /** By label; a new map with every change. */
  readonly made = signal<ReadonlyMap<number, Surface>>(new Map());
  readonly working = signal(false);
  /** Why there are none; "" while all is well. */
  readonly trouble = signal("");
  private worker: Worker | null = null;
  private stale = false;
  private timer = 0;
  private seen = new Set<number>();
  private readonly stop: () => void;

  constructor(private readonly session: CaseSession) {
    this.stop = effect(() => {
      session.draft.value?.changes.value;
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.request(), this.made.peek().size > 0 ? SETTLED_MS : 0);
    });
  }

  close(): void {
    this.stop();
    window.clearTimeout(this.timer);
    this.worker?.terminate();
    this.worker = null;
  }

  private request(): void {
    const draft = this.session.draft.value;
    if (!draft) return;
    if (this.working.value) {
      this.stale = true;
      return;
    }
    this.worker ??= this.started();
    this.working.value = true;
    this.seen = new Set();
    const { shape, affine } = this.session.header;
    const mask = draft.mask.slice();
    const { shared, labels } = this.session.project;
    const of = Object.fromEntries((shared ?? []).map(({ value }) => [value, membersOf(labels, value)]));
    this.worker.postMessage({ mask, shape, affine, shared: of }, [mask.buffer]);
  }

  private started(): Worker {
    const worker = new Worker(new URL("../volume/surfaceworker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<SurfaceReply>) => this.take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.trouble.value = `The surfaces could not be made (${event.message || "the browser started no worker"}); close the 3D view and open it again`;
      this.working.value = false;
    };
    return worker;
  }

  /** Each as it comes; what is gone is taken away at the end. */
  private take(surface: SurfaceReply): void {
    if (surface) {
      this.seen.add(surface.label);
      this.made.value = new Map(this.made.value).set(surface.label, surface);
      return;
    }
    this.made.value = new Map([...this.made.value].filter(([label]) => this.seen.has(label)));
    this.working.value = false;
    if (!this.stale) return;
    this.stale = false;
    this.request();
  }
}
