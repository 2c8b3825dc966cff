/** Signals whose value this browser remembers. A refused or foreign value falls back to the default. */
import { effect, signal, type Signal } from "@preact/signals";

export function keptSignal<T extends string | number | boolean | null>(name: string, initial: T): Signal<T> {
  const key = `medloop.${name}`;
  const kept = signal<T>(read(key, initial));
  effect(() => write(key, kept.value));
  return kept;
}

function read<T>(key: string, initial: T): T {
  try {
    const text = localStorage.getItem(key);
    const value = text === null ? initial : (JSON.parse(text) as T);
    return initial === null || typeof value === typeof initial ? value : initial;
  } catch {
    return initial;
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A browser that refuses storage still works; it only forgets.
  }
}
