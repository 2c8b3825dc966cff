/** A session that ended: requests wait, and go on once the same person has signed in again. */
import { signal } from "@preact/signals";
import { me } from "./me";
import { isSameName } from "./person";
import type { Me } from "./types";

/** Whether somebody has to sign in before anything goes on. */
export const signInWanted = signal(false);

const waiting: (() => void)[] = [];

/** Resolves once the same person is signed in again; where another one signs in, it never does. */
export function signedInAgain(abort?: AbortSignal): Promise<void> {
  signInWanted.value = true;
  return new Promise((resolve, reject) => {
    waiting.push(resolve);
    abort?.addEventListener("abort", () => reject(abort.reason as Error), { once: true });
  });
}

/** Somebody signed in. False: it is another person than before, so that the page must begin anew and nothing that waits may be sent. */
export function enter(fresh: Me): boolean {
  const before = me.value;
  if (before !== null && !(before.accounts && isSameName(before.name, fresh.name))) return false;
  me.value = fresh;
  signInWanted.value = false;
  for (const goOn of waiting.splice(0)) goOn();
  return true;
}
