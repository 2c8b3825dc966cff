/** Whether anybody sits before the page: what it reads by itself must not keep a session alive. */

const IDLE_MS = 60_000;
let last = Date.now();

/** Take note of everything that a person does. */
export function followInput(): void {
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
    window.addEventListener(kind, () => (last = Date.now()), { capture: true, passive: true });
  }
}

export const isIdle = (): boolean => Date.now() - last > IDLE_MS;
