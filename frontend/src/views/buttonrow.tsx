/** A row of buttons as one stop of Tab (WAI-ARIA toolbar, roving tabindex): the one pressed last, else the one that holds, else the first. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { stepInRow } from "../tools/roving";

const BUTTONS = "button:not(:disabled), input:is([type=checkbox], [type=color]):not(:disabled)";
const HOLDS = '[aria-pressed="true"], [aria-checked="true"]';

interface ButtonRowProps {
  label: string;
  class: string;
  role?: "toolbar" | "radiogroup";
  vertical?: boolean;
  verb?: string;
  testid?: string;
  children: ComponentChildren;
}

export function ButtonRow({ label, class: look, role = "toolbar", vertical, verb, testid, children }: ButtonRowProps) {
  const row = useOneStop<HTMLDivElement>();
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles have a name
    <div ref={row} class={look} role={role} aria-label={label} aria-orientation={vertical ? "vertical" : undefined} data-verb={verb} data-testid={testid}>
      {children}
    </div>
  );
}

/** For what is no row of buttons itself, but full of them: a table, a list. */
export function useOneStop<T extends HTMLElement>(): (row: T | null) => void {
  return useMemo(() => {
    let leave = (): void => undefined;
    return (row) => {
      leave();
      leave = row ? keepOneStop(row) : () => undefined;
    };
  }, []);
}

function keepOneStop(row: HTMLElement): () => void {
  const buttons = (): HTMLElement[] => [...row.querySelectorAll<HTMLElement>(BUTTONS)];
  let stop: HTMLElement | null = null;
  /** Which of the buttons has the focus; -1 while none has it. */
  let at = -1;
  const settle = (): void => {
    const all = buttons();
    if (!stop || !all.includes(stop)) stop = all[at] ?? all.at(at < 0 ? 0 : -1) ?? null;
    if (at < 0) stop = all.find((button) => button.matches(HOLDS)) ?? stop;
    for (const button of all) button.tabIndex = button === stop ? 0 : -1;
    if (at >= 0 && document.activeElement === document.body) stop?.focus();
  };
  const onFocus = ({ target }: FocusEvent): void => {
    const all = buttons();
    at = all.indexOf(target as HTMLElement);
    if (at >= 0) stop = all[at]!;
    settle();
  };
  /** A button that goes away or is switched off is left, too, but its reader is still here. */
  const onBlur = ({ target }: FocusEvent): void =>
    queueMicrotask(() => {
      if (buttons().includes(target as HTMLElement) && document.activeElement !== target) at = buttons().indexOf(document.activeElement as HTMLElement);
    });
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const all = buttons();
    const from = all.indexOf(event.target as HTMLElement);
    const boxes = (): DOMRect[] => all.map((button) => button.getBoundingClientRect());
    const to = from < 0 ? null : stepInRow(boxes(), from, event.key);
    if (to === null) return;
    event.preventDefault();
    all[to]!.focus();
  };
  const observer = new MutationObserver(settle);
  observer.observe(row, { childList: true, subtree: true, attributeFilter: ["disabled", "aria-pressed", "aria-checked"] });
  row.addEventListener("focusin", onFocus);
  row.addEventListener("focusout", onBlur);
  row.addEventListener("keydown", onKey);
  settle();
  return () => {
    observer.disconnect();
    row.removeEventListener("focusin", onFocus);
    row.removeEventListener("focusout", onBlur);
    row.removeEventListener("keydown", onKey);
  };
}
