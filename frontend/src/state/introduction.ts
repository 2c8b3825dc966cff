/** The introduction on a person's first case: which step is shown. */
import { signal } from "@preact/signals";
import { prefer, preferences } from "./preferences";

export const STEPS = 4;

export const introStep = signal(0);

export const isIntroduced = (): boolean => preferences.value.introduced;

/** Seen or skipped: never again, unless somebody wants it. */
export const endIntroduction = (): void => prefer({ introduced: true });

export function beginIntroduction(): void {
  introStep.value = 0;
  prefer({ introduced: false });
}

export function goToStep(step: number): void {
  if (step >= STEPS) endIntroduction();
  else introStep.value = Math.max(0, step);
}
