/** The wire between page and server, held in a test's hands: what was asked, and what comes back. */

export interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown> | null;
  headers: Record<string, string>;
}

export type Reply = { status?: number; json: unknown };

/** Every request goes to `reply`; the result lists what was asked. */
export function takeWire(reply: (asked: Asked) => Reply): Asked[] {
  const asked: Asked[] = [];
  globalThis.fetch = async (path, init = {}) => {
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : null;
    const one = { method: init.method ?? "GET", path: String(path), body, headers: init.headers as Record<string, string> };
    asked.push(one);
    const { status = 200, json } = reply(one);
    return new Response(JSON.stringify(json), { status });
  };
  return asked;
}

/** Let everything run that waits for nothing but its turn. */
export async function turn(): Promise<void> {
  for (let n = 0; n < 8; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** A browser's storage of this test alone. */
export function takeStorage(): Map<string, string> {
  const kept = new Map<string, string>();
  (globalThis as { localStorage?: unknown }).localStorage = {
    get length() {
      return kept.size;
    },
    key: (n: number) => [...kept.keys()][n] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => void kept.set(key, text),
    removeItem: (key: string) => kept.delete(key),
  };
  return kept;
}
