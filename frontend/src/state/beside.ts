/** Another series beside the case: which one, its voxels, its own window, and which of its slices the crosshair of the case lies in. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import * as calls from "../api/calls";
import { explain } from "../api/errors";
import type { PlaneHeader, Reference, Triple } from "../api/types";
import { placeOf, voxelAt } from "../geometry/camera";
import { liesWithin, linkedVoxel, offSlice, planeBeside, relativeSlice } from "../geometry/linking";
import type { ChannelView } from "../render/slice";
import { receiveVolume } from "../volume/download";
import type { Volume } from "../volume/volume";
import { nextReference as nextWanted } from "./display";
import type { CaseSession } from "./session";
import { ChannelWindows } from "./windows";

/** What of the series is drawn. */
export interface Shown {
  plane: PlaneHeader;
  number: number;
  /** The crosshair's fractional voxel; null where positions cannot be compared. */
  voxel: Triple | null;
  /** Whether the crosshair lies within the series. */
  within: boolean;
  /** From the crosshair to the slice drawn, in mm. */
  offMm: number;
}

/** One reference on the screen; only its own voxels are held, and a fetch that nobody waits for is ended. */
export class Beside {
  readonly volume = signal<Volume | null>(null);
  readonly arrived = signal(0);
  readonly trouble = signal("");
  readonly channel: Signal<ChannelView>;
  readonly window: ChannelWindows;
  /** Slices follow by their share of the series; only where somebody asked for it. */
  readonly byShare = signal(false);
  /** Where its own wheel went, and where the case was then: it holds until the case moves on. */
  private readonly own = signal<{ voxel: Triple; crosshair: Triple; plane: string } | null>(null);
  private readonly abort = new AbortController();
  readonly shown: ReadonlySignal<Shown>;

  constructor(
    readonly session: CaseSession,
    readonly reference: Reference,
  ) {
    const { image } = reference;
    this.channel = signal<ChannelView>(image.colour ? "rgb" : 0);
    this.window = new ChannelWindows(`${session.project.id}.beside.${reference.name}`, image, () => this.channel.value);
    this.shown = computed(() => this.find());
  }

  async load(): Promise<void> {
    const { session, reference } = this;
    try {
      const response = await calls.readReferenceVoxels(session.project.id, session.header.id, reference.id, this.abort.signal);
      this.volume.value = await receiveVolume(response, reference.image, (growing) => {
        this.volume.value = growing;
        this.arrived.value++;
      });
      this.arrived.value++;
    } catch (error) {
      if (!this.abort.signal.aborted) this.trouble.value = `${explain(error).message}; ${explain(error).remedy}`;
    }
  }

  close(): void {
    this.abort.abort();
    this.volume.value = null;
  }

  /** Whether its slices follow those of the case. */
  get linked(): boolean {
    return this.reference.placed || this.byShare.value;
  }

  private get moved(): Triple | null {
    const own = this.own.value;
    const { crosshair, planes, active } = this.session;
    const same = own?.crosshair.every((at, axis) => at === crosshair.value[axis]);
    const plane = planes[active.value]!.name;
    return own && own.plane === plane && (same || !this.linked) ? own.voxel : null;
  }

  private find(): Shown {
    const { session, reference } = this;
    const { image } = reference;
    const active = session.planes[session.active.value]!;
    const plane = planeBeside(image.planes, active.name);
    const count = image.shape[plane.slice_axis]!;
    const moved = this.moved;
    if (reference.placed) {
      const voxel = moved ?? linkedVoxel(session.header, image, session.crosshair.value);
      const number = Math.min(count - 1, Math.max(0, Math.round(voxel[plane.slice_axis]!)));
      return { plane, number, voxel, within: liesWithin(image, voxel), offMm: offSlice(image, plane, voxel, number) };
    }
    const at = session.crosshair.value[active.slice_axis]!;
    const number = moved ? moved[plane.slice_axis]! : this.byShare.value ? relativeSlice(session.header, active, image, plane, at) : count >> 1;
    return { plane, number, voxel: null, within: true, offMm: 0 };
  }

  /** Through its own slices; the case goes to the place, as near as its voxels allow. */
  turn(steps: number): void {
    const { plane, number, voxel } = this.shown.value;
    const { shape } = this.reference.image;
    const next: Triple = voxel ? [...voxel] : [0, 0, 0];
    next[plane.slice_axis] = Math.min(shape[plane.slice_axis]! - 1, Math.max(0, number + steps));
    this.goTo(next);
  }

  /** To a voxel of the reference. */
  goTo(voxel: Triple): void {
    const { session, reference } = this;
    if (reference.placed) session.lookAt(voxelAt(session.header.affine, placeOf(reference.image.affine, voxel)));
    else if (this.byShare.value) {
      const active = session.planes[session.active.value]!;
      const plane = planeBeside(reference.image.planes, active.name);
      const next: Triple = [...session.crosshair.value];
      next[active.slice_axis] = relativeSlice(reference.image, plane, session.header, active, voxel[plane.slice_axis]!);
      session.lookAt(next);
    }
    this.own.value = { voxel, crosshair: session.crosshair.value, plane: session.planes[session.active.value]!.name };
  }
}

/** The references of a case, and the one on the screen; the one chosen last by name comes first in the next case. */
export class References {
  readonly list = signal<readonly Reference[]>([]);
  readonly chosen = signal<Beside | null>(null);
  readonly trouble = signal("");
  private readonly stop: () => void;
  private closed = false;

  constructor(readonly session: CaseSession) {
    void calls
      .readReferences(session.project.id, session.header.id)
      .then((list) => {
        if (this.closed) return;
        this.list.value = list;
        const first = list.find(({ name }) => name === lastName) ?? list[0];
        if (first) this.choose(first.id);
      })
      .catch((error: unknown) => (this.trouble.value = `${explain(error).message}; ${explain(error).remedy}`));
    this.stop = effect(() => {
      if (nextWanted.value > this.turned) this.next();
    });
  }

  private turned = nextWanted.peek();

  choose(id: string): void {
    const found = this.list.peek().find((one) => one.id === id);
    if (!found) return;
    this.chosen.peek()?.close();
    lastName = found.name;
    const made = new Beside(this.session, found);
    this.chosen.value = made;
    void made.load();
  }

  private next(): void {
    this.turned = nextWanted.peek();
    const list = this.list.peek();
    const at = list.findIndex(({ id }) => id === this.chosen.peek()?.reference.id);
    const next = list[(at + 1) % Math.max(1, list.length)];
    if (next) this.choose(next.id);
  }

  close(): void {
    this.closed = true;
    this.stop();
    this.chosen.peek()?.close();
  }
}

let lastName = "";
