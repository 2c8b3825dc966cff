/** A modal dialog: the browser keeps the focus inside and closes it on Escape. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface DialogProps {
  title: string;
  testid: string;
  wide?: boolean;
  /** Null: Escape does not close it, because a choice is needed. */
  onClose: (() => void) | null;
  children: ComponentChildren;
}

export function Dialog({ title, testid, wide, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
    return () => element.current?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "dialog dialog-wide" : "dialog"}
      aria-label={title}
      data-testid={testid}
      onKeyDown={(event) => event.stopPropagation()}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose?.();
      }}
    >
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}
