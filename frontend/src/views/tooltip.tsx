/** Tooltips at once, for the mouse and for the focus: what stands in `title`, shown by the page because browsers wait a second. */
import { useEffect, useRef } from "preact/hooks";

const GAP = 6;

export function Tooltips() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => follow(box.current!), []);
  return <div ref={box} class="tooltip" role="tooltip" id="tooltip" popover="manual" hidden />;
}

function follow(box: HTMLElement): () => void {
  let of: Element | null = null;
  const hide = (): void => {
    if (of && !of.hasAttribute("title")) of.setAttribute("title", box.textContent ?? "");
    of?.removeAttribute("aria-describedby");
    of = null;
    box.hidden = true;
    if (box.matches(":popover-open")) box.hidePopover();
  };
  const show = (target: Element): void => {
    const words = target.getAttribute("title");
    if (!words) return;
    of = target;
    target.removeAttribute("title"); // else the browser shows its own as well
    target.setAttribute("aria-describedby", box.id);
    box.textContent = words;
    box.hidden = false;
    box.showPopover(); // above dialogs, too
    place(box, target.getBoundingClientRect());
  };
  const onOver = (event: Event): void => {
    const target = (event.target as Element | null)?.closest?.("[title]") ?? null;
    if (of?.contains(event.target as Node)) return;
    hide();
    if (target) show(target);
  };
  const onFocus = (event: Event): void => {
    const target = event.target as Element;
    if (target.matches?.("[title]:focus-visible")) {
      hide();
      show(target);
    } else if (target !== of) hide();
  };
  const onKey = (event: KeyboardEvent): void => void (event.key === "Escape" && hide());
  const events: [string, (event: never) => void][] = [
    ["pointerover", onOver],
    ["focusin", onFocus],
    ["focusout", hide],
    ["pointerdown", hide],
    ["keydown", onKey],
    ["hashchange", hide],
  ];
  for (const [name, act] of events) window.addEventListener(name, act as EventListener, { capture: true });
  return () => {
    hide();
    for (const [name, act] of events) window.removeEventListener(name, act as EventListener, { capture: true });
  };
}

/** Below what it is about, above where there is no room, and never beyond the edge of the page. */
function place(box: HTMLElement, { left, top, bottom, width }: DOMRect): void {
  const { offsetWidth, offsetHeight } = box;
  const below = bottom + GAP + offsetHeight <= innerHeight;
  box.style.left = `${Math.max(GAP, Math.min(left + width / 2 - offsetWidth / 2, innerWidth - offsetWidth - GAP))}px`;
  box.style.top = `${below ? bottom + GAP : Math.max(GAP, top - GAP - offsetHeight)}px`;
}
