/** How the planes hang: one, a large one beside two, or two by two; which is the large one. Remembered per project. */
import { computed, type Signal, signal } from "@preact/signals";
import type { PlaneHeader, Triple } from "../api/types";
import { readKept, writeKept } from "../browser/kept";
import { mainPlane } from "../geometry/plane";

export const HANGINGS = ["1", "1 + 2", "2 × 2"] as const;
export type HangingName = (typeof HANGINGS)[number];

export class Hanging {
  readonly name: Signal<HangingName>;
  /** The plane in the large pane. */
  readonly large: Signal<number>;
  /** A plane that has the screen for a while; not remembered. */
  readonly maximised = signal<number | null>(null);
  /** The plane that is shown alone; null when all are. */
  readonly alone = computed(() => this.maximised.value ?? (this.name.value === "1" ? this.large.value : null));

  constructor(
    private readonly project: string,
    private readonly planes: readonly PlaneHeader[],
    spacing: Triple,
  ) {
    const kept = readKept<string>(`hanging.${project}`, "");
    this.name = signal(HANGINGS.find((name) => name === kept) ?? "1 + 2");
    const large = planes.findIndex(({ name }) => name === readKept<string>(`large.${project}`, ""));
    this.large = signal(large >= 0 ? large : mainPlane([...planes], spacing));
  }

  hang(name: HangingName): void {
    this.maximised.value = null;
    this.name.value = name;
    writeKept(`hanging.${this.project}`, name);
  }

  enlarge(plane: number): void {
    this.maximised.value = null;
    this.large.value = plane;
    writeKept(`large.${this.project}`, this.planes[plane]!.name);
  }

  /** The next way to hang, or the next plane in the large pane. */
  next(what: "hanging" | "plane"): void {
    if (what === "plane") this.enlarge((this.large.value + 1) % this.planes.length);
    else this.hang(HANGINGS[(HANGINGS.indexOf(this.name.value) + 1) % HANGINGS.length]!);
  }

  /** One plane on the whole screen and back. */
  maximise(plane: number): void {
    if (this.planes.length === 1) return;
    if (this.alone.value !== plane) this.maximised.value = plane;
    else if (this.maximised.value !== null) this.maximised.value = null;
    else this.hang("1 + 2");
  }
}
