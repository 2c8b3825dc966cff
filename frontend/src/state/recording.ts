/**
 * Recording where the pointer goes over the image, or the crosshair by keys, as a trace in the documented form: voxels and seconds.
 * A place is taken down in even steps of time, so that resting on a structure counts, and nothing is while the pointer is elsewhere.
 */
import type { Signal } from "@preact/signals";
import type { Triple } from "../api/types";
import { saveAs } from "../browser/files";
import type { Tool } from "./display";
import type { CaseSession } from "./session";

/** From one sample to the next. */
const STEP_MS = 40;
const KEYS = "Enter shows what it proposes, Esc drops it";
/** One hour; the server takes ten times as many. */
export const MOST_SAMPLES = 90_000;

export class Recording {
  private readonly samples: [seconds: number, at: Triple][] = [];
  private began = Number.NaN;
  private byKeys = false;
  private before: { pointed: Triple | null; crosshair: Triple } | null = null;

  get count(): number {
    return this.samples.length;
  }

  get seconds(): number {
    return this.samples.at(-1)?.[0] ?? 0;
  }

  /** Who moves the crosshair by keys looks there, until the pointer moves again. */
  sample(now: number, pointed: Triple | null, crosshair: Triple): void {
    const { before } = this;
    const moved = (a: Triple | null, b: Triple | null): boolean => String(a) !== String(b);
    if (before && moved(before.pointed, pointed)) this.byKeys = false;
    else if (before && moved(before.crosshair, crosshair)) this.byKeys = true;
    this.before = { pointed, crosshair };
    const at = this.byKeys ? crosshair : pointed;
    if (!at || this.count >= MOST_SAMPLES) return;
    if (Number.isNaN(this.began)) this.began = now;
    this.samples.push([Math.round(now - this.began) / 1000, at]);
  }

  /** As `medloop trace` and the page read it. */
  text(shape: Triple): string {
    return JSON.stringify({ shape, samples: this.samples.map(([time, [i, j, k]]) => ({ time, i, j, k })) });
  }
}

/** Record until it is put away; gives how to end. Meanwhile nothing is drawn: the crosshair is in hand. */
export function record(session: CaseSession, recording: Recording, tool: Signal<Tool>): () => void {
  const before = tool.value;
  tool.value = "navigate";
  const say = (): void => {
    session.advice.message.value = `Recording the pointer: ${recording.seconds.toFixed(1)} s, ${recording.count} samples; ${KEYS}`;
  };
  say();
  const timer = setInterval(() => {
    if (document.hidden) return;
    recording.sample(performance.now(), session.pointed.value, session.crosshair.value);
    if (recording.count % 5 === 0) say();
  }, STEP_MS);
  return () => {
    clearInterval(timer);
    session.advice.message.value = "";
    if (tool.value === "navigate") tool.value = before;
  };
}

export const save = (name: string, text: string): void => saveAs(name, new Blob([text]));
