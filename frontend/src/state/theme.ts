/** Light or dark: the system's choice until the reader makes one. */
import { effect } from "@preact/signals";
import { keptSignal } from "../browser/kept";

export type Theme = "system" | "light" | "dark";

export const theme = keptSignal<Theme>("theme", "system");

export function followTheme(): void {
  effect(() => {
    if (theme.value === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = theme.value;
  });
}

export function nextTheme(): void {
  const dark = theme.value === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : theme.value === "dark";
  theme.value = dark ? "light" : "dark";
}
