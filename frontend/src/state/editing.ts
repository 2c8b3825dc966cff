/** An operation in the making: what is in hand, and the preview of what it would do. Nothing has changed until it is accepted. */
import { signal } from "@preact/signals";
import type { Triple } from "../api/types";
import type { Edit } from "../edits/runs";
import type { Pixel } from "../geometry/plane";
import type { Ring } from "../operations/polygon";
import { letGo } from "../operations/remote";

export type OperationName = "clear" | "copy" | "carry" | "smooth" | "islands" | "margin" | "propagate" | "trace" | "record";

/** Where the pointer goes, until it is finished and becomes a trace. */
export interface Recorded {
  kind: "record";
  finish: () => void;
}

/** Outlines and floods are begun by a tool on one slice; the others by a button or key. */
export type Open = { plane: number } & (
  | { kind: Exclude<OperationName, "propagate" | "trace" | "record"> }
  | { kind: "propagate" }
  | { kind: "trace"; name: string; text: string }
  | Recorded
  | { kind: "flood"; seed: Triple }
  | { kind: "outline"; number: number; rings: readonly Ring[] }
);

export interface Preview {
  title: string;
  edit: Edit;
  /** What it would do, in words. */
  text: string;
}

/** An outline that is not closed yet, in pixels of its slice. */
export interface OpenRing extends Ring {
  plane: number;
  number: number;
}

export class Editing {
  readonly open = signal<Open | null>(null);
  readonly preview = signal<Preview | null>(null);
  readonly ring = signal<OpenRing | null>(null);
  private stop: () => void = () => undefined;
  private turn = 0;

  /** Whether a key such as Enter belongs to it. */
  get pending(): boolean {
    return this.open.value !== null || this.ring.value !== null;
  }

  begin(open: Open, follow: () => () => void): void {
    this.end();
    this.open.value = open;
    this.stop = follow();
  }

  /** The preview is out of date; gives whether what is worked out next is still wanted when it is there. */
  renew(): () => boolean {
    const turn = ++this.turn;
    this.preview.value = null;
    return () => turn === this.turn;
  }

  end(): void {
    this.turn++;
    this.stop();
    this.stop = () => undefined;
    if (this.open.peek() && !this.preview.peek()) letGo();
    this.open.value = this.preview.value = this.ring.value = null;
  }

  /** The last point goes; without any the outline is gone. */
  dropPoint(): void {
    const { value } = this.ring;
    if (value) this.ring.value = value.points.length > 1 ? { ...value, points: value.points.slice(0, -1) } : null;
  }

  addPoint(ring: Omit<OpenRing, "points">, point: Pixel): void {
    const { value } = this.ring;
    const goesOn = value !== null && value.plane === ring.plane && value.number === ring.number;
    this.ring.value = goesOn ? { ...value, points: [...value.points, point] } : { ...ring, points: [point] };
  }
}
