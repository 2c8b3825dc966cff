/** Values that this browser remembers. A refused or foreign value falls back to the default. */
import { effect, type Signal, signal } from "@preact/signals";

type Simple = string | number | boolean;

export function keptSignal<T extends Simple>(name: string, initial: T): Signal<T> {
  const kept = signal<T>(readKept(name, initial));
  effect(() => writeKept(name, kept.value));
  return kept;
}

export function readKept<T extends Simple>(name: string, initial: T): T {
  try {
    const text = localStorage.getItem(`medloop.${name}`);
    const value = text === null ? initial : (JSON.parse(text) as T);
    return typeof value === typeof initial ? value : initial;
  } catch {
    return initial;
  }
}

export function writeKept(name: string, value: Simple): void {
  try {
    localStorage.setItem(`medloop.${name}`, JSON.stringify(value));
  } catch {
    // A browser that refuses storage still works; it only forgets.
  }
}
