/** Which values are drawn black and white: one window per channel, begun as the file says or as the reader chose last time. */
import { signal } from "@preact/signals";
import type { CaseHeader, Preset } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import type { Window } from "../render/lut";
import type { ChannelView } from "../render/slice";

type Header = Pick<CaseHeader, "window" | "channel_windows" | "channels" | "dtype" | "presets" | "modality">;

/** Names of presets that mean the image as a whole; with several channels each has its own. */
const OWN = ["Auto", "DICOM"];
const BYTES: Window = { low: 0, high: 255 };

/** A picture's colours are drawn as they are stored; a channel by its own window; else the one the file names. */
export function ownWindow(header: Header, view: ChannelView): Window {
  const picture = header.channels === 3 && header.dtype === "uint8";
  if (picture) return BYTES;
  const several = header.channels > 1 && view !== "rgb";
  const [low, high] = (several && header.channel_windows?.[view]) || header.window;
  return { low, high };
}

/** The presets that fit what is shown, the image's own first; of those with equal bounds only the first. */
export function presetsOf(header: Header, view: ChannelView): Preset[] {
  return namedPresets(header, view).filter((preset, n, all) => n === all.findIndex(({ low, high }) => low === preset.low && high === preset.high));
}

function namedPresets(header: Header, view: ChannelView): Preset[] {
  if (header.channels === 1) return header.presets;
  const own = { name: view === "rgb" ? "As stored" : "Auto", ...ownWindow(header, view) };
  return [own, ...header.presets.filter(({ name }) => !OWN.includes(name))];
}

export class ChannelWindows {
  private readonly begun = new Map<ChannelView, Window>();
  private readonly chosen = signal<ReadonlyMap<ChannelView, Window>>(new Map());

  constructor(
    private readonly project: string,
    private readonly header: Header,
    private readonly view: () => ChannelView,
  ) {}

  /** Of the channel that is shown. */
  get value(): Window {
    const view = this.view();
    return this.chosen.value.get(view) ?? this.first(view);
  }

  set value(window: Window) {
    this.chosen.value = new Map(this.chosen.value).set(this.view(), window);
  }

  get presets(): Preset[] {
    return presetsOf(this.header, this.view());
  }

  /** Take a preset, here and in the next cases of this modality. */
  choose({ name, low, high }: Preset): void {
    this.value = { low, high };
    writeKept(this.memory(this.view()), name);
  }

  /** As the case opened. */
  reset(): void {
    this.chosen.value = new Map();
  }

  private first(view: ChannelView): Window {
    const known = this.begun.get(view) ?? this.begin(view);
    this.begun.set(view, known);
    return known;
  }

  private begin(view: ChannelView): Window {
    const name = readKept(this.memory(view), "");
    const kept = namedPresets(this.header, view).find((preset) => preset.name === name);
    return kept ? { low: kept.low, high: kept.high } : ownWindow(this.header, view);
  }

  private memory(view: ChannelView): string {
    return `window.${this.project}.${this.header.modality ?? ""}.${view}`;
  }
}
