/** Going through the steps that led to a mask, one by one or played, on a mask of its own: the open edit knows nothing of it. */
import { signal } from "@preact/signals";
import type { DraftStep, DraftSteps, Run, Triple } from "../api/types";
import { applyRuns, inverseOf } from "../edits/runs";
import { voxelCount } from "../geometry/plane";

/** A longer pause between two steps is played as this one. */
export const LONGEST_SECONDS = 2;
/** Steps saved together are still told apart. */
export const SHORTEST_SECONDS = 0.2;
export const SPEEDS = [0.5, 1, 2, 4, 8] as const;

interface Taken {
  inverse: Run[];
  changed: number;
  /** A voxel in the middle of what changed, on the slice where most did; null where nothing did. */
  middle: Triple | null;
}

export class Replay {
  /** How many of the steps are made. */
  readonly position = signal(0);
  readonly playing = signal(false);
  readonly speed = signal<(typeof SPEEDS)[number]>(1);
  readonly mask: Uint8Array;
  /** Whether the panes go where something changes. */
  follows = true;
  /** Hears of every change of the mask. */
  show: (step: DraftStep | null, middle: Triple | null) => void = () => undefined;
  private readonly taken: Taken[] = [];
  private turn = 0;

  constructor(
    readonly made: DraftSteps,
    private readonly shape: Triple,
    private readonly schedule: (draw: (now: number) => void) => void = (draw) => requestAnimationFrame(draw),
  ) {
    this.mask = new Uint8Array(voxelCount(shape));
    applyRuns(this.mask, made.began);
  }

  get count(): number {
    return this.made.steps.length;
  }

  /** The step made last; null at the beginning. */
  get step(): DraftStep | null {
    return this.made.steps[this.position.value - 1] ?? null;
  }

  /** How many voxels it changed. */
  get changed(): number {
    return this.position.value > 0 ? this.taken[this.position.value - 1]!.changed : 0;
  }

  /** Somebody goes to a step by hand: it no longer plays. */
  go(to: number): void {
    this.stop();
    this.move(to);
  }

  toggle(): void {
    if (this.playing.value) this.stop();
    else this.play();
  }

  stop(): void {
    this.turn++;
    this.playing.value = false;
  }

  faster(by: 1 | -1): void {
    const at = SPEEDS.indexOf(this.speed.value) + by;
    this.speed.value = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at))]!;
  }

  /** Seconds from a step to the next, as they are played; the first one shows what was there before it. */
  pause(after: number): number {
    const [here, next] = [this.made.steps[after - 1], this.made.steps[after]];
    const real = here && next ? (Date.parse(next.at) - Date.parse(here.at)) / 1000 : 1;
    const seconds = Number.isFinite(real) ? Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, real)) : 1;
    return seconds / this.speed.value;
  }

  /** From the beginning again where it stands at the end. */
  private play(): void {
    if (this.count === 0) return;
    if (this.position.value === this.count) this.move(0);
    this.playing.value = true;
    const turn = ++this.turn;
    let since = Number.NaN;
    const draw = (now: number): void => {
      if (turn !== this.turn) return;
      if (Number.isNaN(since)) since = now;
      if (now - since >= this.pause(this.position.value) * 1000) {
        this.move(this.position.value + 1);
        since = now;
      }
      if (this.position.value === this.count) return this.stop();
      this.schedule(draw);
    };
    this.schedule(draw);
  }

  private move(to: number): void {
    const wanted = Math.min(this.count, Math.max(0, to));
    let at = this.position.value;
    if (wanted === at) return;
    for (; at < wanted; at++) this.taken[at] = this.take(this.made.steps[at]!.runs, this.taken[at]);
    for (; at > wanted; at--) applyRuns(this.mask, this.taken[at - 1]!.inverse);
    this.position.value = at;
    this.show(this.step, at > 0 ? this.taken[at - 1]!.middle : null);
  }

  /** Make a step; what it changed is looked at the first time. */
  private take(runs: readonly Run[], known: Taken | undefined): Taken {
    const inverse = known?.inverse ?? inverseOf(this.mask, merged(runs));
    applyRuns(this.mask, runs);
    return known ?? { inverse, ...whereChanged(this.mask, inverse, this.shape) };
  }
}

/** Each voxel that runs go over once, ascending. */
function merged(runs: readonly Run[]): Run[] {
  const found: Run[] = [];
  for (const [start, length] of [...runs].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && start <= last[0] + last[1]) last[1] = Math.max(last[1], start + length - last[0]);
    else found.push([start, length, 0]);
  }
  return found;
}

function whereChanged(mask: Uint8Array, before: readonly Run[], [columns, rows, slices]: Triple): Pick<Taken, "changed" | "middle"> {
  const size = columns * rows;
  const bySlice = new Uint32Array(slices);
  const each = (changed: (voxel: number) => void): void => {
    for (const [start, length, old] of before) for (let i = start; i < start + length; i++) if (mask[i] !== old) changed(i);
  };
  each((i) => bySlice[Math.floor(i / size)]!++);
  const changed = bySlice.reduce((sum, count) => sum + count, 0);
  if (changed === 0) return { changed, middle: null };
  const slice = bySlice.indexOf(bySlice.reduce((most, count) => Math.max(most, count), 0));
  let [left, at] = [bySlice[slice]! >> 1, 0];
  each((i) => {
    if (Math.floor(i / size) === slice && left-- === 0) at = i;
  });
  return { changed, middle: [at % columns, Math.floor(at / columns) % rows, slice] };
}
