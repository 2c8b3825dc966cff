/**
 * Prompts that are shown before they change anything: each further one refines what is shown, Enter saves all of it as one step, Esc
 * drops it. Nothing is in the draft before that. A newer prompt does not wait for the answer to the one before, whose answer is then of
 * no interest; what is accepted is what is on the screen, never what is still being computed.
 */
import { computed, signal } from "@preact/signals";
import { ApiError } from "../api/errors";
import type { Preview, Prompt, Refined } from "../api/types";

/** An answer on the screen: to which prompts, under which locks, on which revision. */
export interface Shown extends Preview {
  base: number;
  prompts: readonly Prompt[];
  locked: readonly number[];
}

export interface PreviewWiring {
  /** Resolves when every edit made so far is saved; rejects when one was refused. */
  flushed: () => Promise<void>;
  revision: () => number;
  locked: () => readonly number[];
  ask: (base: number, prompts: readonly Prompt[], locked: readonly number[]) => Promise<Preview>;
  save: (shown: Shown) => Promise<Refined>;
  accepted: (refined: Refined, shown: Shown) => void;
  /** `shown`: what was to be saved; null where it was to be computed. */
  refused: (error: unknown, shown: Shown | null) => void | Promise<void>;
  onBusy: (busy: boolean) => void;
}

export type Accepting = "saving" | "computing" | "nothing" | "locks changed";

export class Previews {
  /** Every prompt given, the last ones perhaps not answered yet. */
  readonly prompts = signal<readonly Prompt[]>([]);
  private readonly answers = signal<readonly Shown[]>([]);
  readonly shown = computed<Shown | null>(() => this.answers.value.at(-1) ?? null);
  private newest = 0;
  /** Number of the question that is out. */
  private asking = 0;
  private saving = false;

  constructor(private readonly wiring: PreviewWiring) {}

  get open(): boolean {
    return this.prompts.value.length > 0;
  }

  get busy(): boolean {
    return this.saving || this.asking > 0;
  }

  /** A prompt given while the ones before are being saved begins the next preview. */
  give(prompt: Prompt): void {
    this.prompts.value = [...this.prompts.value, prompt];
    if (!this.saving) void this.ask();
  }

  /** The last prompt was not meant. */
  back(): void {
    if (this.saving) return;
    this.keep(this.prompts.value.slice(0, -1));
    if (this.prompts.value.length > (this.shown.value?.prompts.length ?? 0)) void this.ask();
  }

  /** Nothing of it is saved; false where it is being saved already. */
  drop(): boolean {
    if (!this.saving) this.keep([]);
    return !this.saving;
  }

  accept(): Accepting {
    const { value: shown } = this.shown;
    if (this.busy) return this.saving ? "saving" : "computing";
    if (!shown) return "nothing";
    if (shown.locked.join() !== this.wiring.locked().join()) {
      void this.ask();
      return "locks changed";
    }
    void this.save(shown);
    return "saving";
  }

  private async ask(): Promise<void> {
    const number = ++this.newest;
    this.asking = number;
    this.wiring.onBusy(true);
    try {
      await this.wiring.flushed();
      if (number !== this.newest) return;
      const [base, prompts, locked] = [this.wiring.revision(), this.prompts.value, this.wiring.locked()];
      const answer = await this.wiring.ask(base, prompts, locked);
      if (number !== this.newest) return;
      this.answers.value = [
        ...this.answers.value.filter((one) => one.base === base && one.prompts.length < prompts.length),
        { ...answer, base, prompts, locked },
      ];
    } catch (error) {
      if (number !== this.newest) return;
      this.keep(hasCode(error, "stale_revision") ? [] : (this.shown.value?.prompts ?? []));
      await this.wiring.refused(error, null);
    } finally {
      if (this.asking === number) this.rest();
    }
  }

  private async save(shown: Shown): Promise<void> {
    this.saving = true;
    this.wiring.onBusy(true);
    try {
      const refined = await this.wiring.save(shown);
      this.answers.value = [];
      this.prompts.value = this.prompts.value.slice(shown.prompts.length);
      this.wiring.accepted(refined, shown);
    } catch (error) {
      if (hasCode(error, "stale_revision")) this.keep([]);
      if (hasCode(error, "conflict")) this.answers.value = []; // the engine answers differently by now: shown anew
      await this.wiring.refused(error, shown);
    } finally {
      this.saving = false;
      this.rest();
    }
    if (this.prompts.value.length > (this.shown.value?.prompts.length ?? 0)) void this.ask();
  }

  /** Only so many prompts are left; whatever is being computed is of no interest any more. */
  private keep(prompts: readonly Prompt[]): void {
    this.newest++;
    this.answers.value = this.answers.value.filter((one) => one.prompts.length <= prompts.length);
    this.prompts.value = prompts;
    this.rest();
  }

  private rest(): void {
    this.asking = 0;
    this.wiring.onBusy(this.busy);
  }
}

const hasCode = (error: unknown, code: string): boolean => error instanceof ApiError && error.code === code;
