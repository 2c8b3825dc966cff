/** Short messages at the edge of the page: what went wrong and what to do, or what was done. */
import { signal } from "@preact/signals";
import { explain } from "../api/errors";

export interface Notice {
  id: number;
  tone: "error" | "warning" | "info";
  message: string;
  remedy: string;
  /** What one may do about it, as a button. */
  action?: { name: string; act: () => void };
}

export const notices = signal<readonly Notice[]>([]);
const INFO_MS = 3500;
let lastId = 0;

/** Long enough to read who was annotated, and to think again. */
const OFFER_MS = 10_000;

/** Say what was done, and offer one thing to do about it. */
export function offer(message: string, name: string, act: () => void): void {
  const id = ++lastId;
  const once = (): void => {
    dismiss(id);
    act();
  };
  notices.value = [...notices.value.slice(-3), { id, tone: "info", message, remedy: "", action: { name, act: once } }];
  setTimeout(() => dismiss(id), OFFER_MS);
}

export function tell(tone: Notice["tone"], message: string, remedy = ""): void {
  const same = notices.value.find((notice) => notice.message === message && notice.remedy === remedy);
  if (same) dismiss(same.id);
  const id = ++lastId;
  notices.value = [...notices.value.slice(-3), { id, tone, message, remedy }];
  if (tone !== "error") setTimeout(() => dismiss(id), INFO_MS + 30 * (message.length + remedy.length));
}

export function tellError(error: unknown): void {
  const { message, remedy } = explain(error);
  tell("error", message, remedy);
}

/** "The prompt was not applied: the server does not respond": what is neither done nor kept to be done later. */
export function tellFailed(what: string, error: unknown): void {
  const { message, remedy } = explain(error);
  const why = message[0]!.toLowerCase() + message.slice(1);
  tell("error", `${what}: ${why}`, remedy);
}

/** Another view or case: what was said about the last one is over; errors stay until closed. */
export function dismissPassing(): void {
  notices.value = notices.value.filter((notice) => notice.tone === "error");
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
