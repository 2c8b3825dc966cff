/** A modal dialog: the browser keeps the focus inside and closes it on Escape. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface DialogProps {
  title: string;
  testid: string;
  /** Whether it takes most of the window, or all of it. */
  wide?: boolean | "whole";
  /** Null: Escape does not close it, because a choice is needed. */
  onClose: (() => void) | null;
  children: ComponentChildren;
}

export function Dialog({ title, testid, wide, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const fresh = useRef(true);
  /** The key that opened the dialog may still be down: it neither types nor presses in here; a held Enter never does. */
  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (!event.repeat) fresh.current = false;
    else if (fresh.current || event.key === "Enter") event.preventDefault();
  };
  useLayoutEffect(() => {
    // before the next key: it must not fall on the page behind
    element.current?.showModal();
    return () => element.current?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? `dialog dialog-${wide === true ? "wide" : wide}` : "dialog"}
      aria-label={title}
      data-testid={testid}
      onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClick={(event) => {
        if (element.current && event.target === element.current && isOutside(event, element.current)) onClose?.();
      }}
    >
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}

/** On the ground behind the dialog, not on its own edge. */
function isOutside({ clientX: x, clientY: y }: MouseEvent, element: HTMLElement): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
}
