/** Which values are drawn black and white: one window per channel, begun as the reader chose last time, else as the file says. */
import { signal } from "@preact/signals";
import type { CaseHeader, Preset } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import type { Window } from "../render/lut";
import type { ChannelView } from "../render/slice";

type Header = Pick<CaseHeader, "channel_presets" | "colour" | "dtype" | "unit" | "modality" | "inverted">;

/** All presets of what is shown, the image's own first. */
const namedPresets = ({ channel_presets }: Header, view: ChannelView): Preset[] => channel_presets[view === "rgb" ? 0 : view] ?? [];

/** A picture's colours are drawn as they are stored; a channel by its own window; else the one the file names. */
export function ownWindow(header: Header, view: ChannelView): Window {
  const { low, high, curve } = namedPresets(header, view)[0]!;
  return { low, high, curve };
}

/** Of presets that draw the same only the first. */
export function presetsOf(header: Header, view: ChannelView): Preset[] {
  const all = namedPresets(header, view);
  return all.filter((preset, n) => n === all.findIndex(({ low, high }) => low === preset.low && high === preset.high));
}

/** Intensities that mean the same in every image: measured in a unit, or levels of a screen. Others differ from scan to scan. */
const areComparable = ({ unit, dtype }: Header): boolean => unit !== "" || dtype === "uint8";

export class ChannelWindows {
  private readonly begun = new Map<ChannelView, Window>();
  private readonly chosen = signal<ReadonlyMap<ChannelView, Window>>(new Map());
  private readonly turned = signal(false);

  constructor(
    private readonly project: string,
    private readonly header: Header,
    private readonly view: () => ChannelView,
  ) {
    this.turned.value = readKept(`inverted.${this.place}`, false);
  }

  /** Of the channel that is shown. */
  get value(): Window {
    const window = this.drawn;
    return this.inverted ? { ...window, inverted: true } : window;
  }

  set value({ low, high }: Window) {
    const curve = this.drawn.curve === "sigmoid" ? "sigmoid" : "exact";
    this.chosen.value = new Map(this.chosen.value).set(this.view(), { low, high, curve });
  }

  get presets(): Preset[] {
    return presetsOf(this.header, this.view());
  }

  /** Low intensities bright; colours stay as they are stored. */
  get inverted(): boolean {
    return this.view() !== "rgb" && this.header.inverted !== this.turned.value;
  }

  invert(): void {
    this.turned.value = !this.turned.value;
    writeKept(`inverted.${this.place}`, this.turned.value);
  }

  /** Take a preset, here and in the next cases of this modality. */
  choose({ name, low, high, curve }: Preset): void {
    this.chosen.value = new Map(this.chosen.value).set(this.view(), { low, high, curve });
    writeKept(this.memory(this.view()), name);
  }

  /** Remember the window as it was dragged: by its values where these mean the same in the next case, else by its place in the image's own window. */
  keep(): void {
    const { low, high } = this.drawn;
    const own = ownWindow(this.header, this.view());
    const span = own.high - own.low;
    const place = areComparable(this.header) ? `= ${low} ${high}` : `~ ${(low - own.low) / span} ${(high - own.low) / span}`;
    writeKept(this.memory(this.view()), place);
  }

  /** As the file says, here and in the next cases. */
  reset(): void {
    this.choose({ ...namedPresets(this.header, this.view())[0]!, name: "" });
    if (this.turned.value) this.invert();
  }

  private get drawn(): Window {
    const view = this.view();
    return this.chosen.value.get(view) ?? this.first(view);
  }

  private first(view: ChannelView): Window {
    const known = this.begun.get(view) ?? this.begin(view);
    this.begun.set(view, known);
    return known;
  }

  private begin(view: ChannelView): Window {
    const kept = readKept(this.memory(view), "");
    const own = ownWindow(this.header, view);
    const preset = namedPresets(this.header, view).find(({ name }) => name === kept);
    if (preset) return { low: preset.low, high: preset.high, curve: preset.curve };
    const [kind, ...numbers] = kept.split(" ");
    const [a, b] = numbers.map(Number) as [number, number];
    if ((kind !== "=" && kind !== "~") || !(a < b) || !Number.isFinite(b - a)) return own;
    if ((kind === "=") !== areComparable(this.header)) return own;
    const span = own.high - own.low;
    return kind === "=" ? { low: a, high: b, curve: "exact" } : { low: own.low + a * span, high: own.low + b * span, curve: "exact" };
  }

  private get place(): string {
    return `${this.project}.${this.header.modality}`;
  }

  private memory(view: ChannelView): string {
    return `window.${this.place}.${view}`;
  }
}
