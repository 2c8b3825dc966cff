/** One place that talks HTTP: the prefix, who sends, the error shape, and waiting where a session has ended. */

import { isIdle } from "../browser/idle";
import { ApiError, OfflineError } from "./errors";
import { me } from "./me";
import { isSameName, nameOnTheWire } from "./person";
import { signedInAgain } from "./signingin";
import type { Me } from "./types";

export const PREFIX = "/api/v1";

type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await respond("GET", path, undefined, signal)).json() as Promise<T>;
}

export async function sendJson<T>(method: Method, path: string, body: unknown, keepalive = false): Promise<T> {
  return (await respond(method, path, body, undefined, keepalive)).json() as Promise<T>;
}

/** The raw answer, for voxels; gzip content encoding is undone by the browser. */
export function getBytes(path: string, signal?: AbortSignal): Promise<Response> {
  return respond("GET", path, undefined, signal);
}

/** For who is not signed in: a refusal is theirs to read. */
export async function sendOpen<T>(path: string, body: unknown): Promise<T> {
  const response = await send("POST", path, body);
  if (!response.ok) throw await refusal(response);
  return response.json() as Promise<T>;
}

/** A file as it is; its name goes along percent-encoded. */
export async function sendFile<T>(path: string, file: File, signal?: AbortSignal): Promise<T> {
  return (await respond("POST", path, file, signal)).json() as Promise<T>;
}

async function respond(method: Method, path: string, body?: unknown, signal?: AbortSignal, keepalive = false): Promise<Response> {
  for (;;) {
    const csrf = me.value?.csrf;
    const response = await send(method, path, body, signal, keepalive);
    if (response.ok) return response;
    const error = await refusal(response);
    if (!(await isToRepeat(error, csrf, signal))) throw error;
  }
}

/** A session that ended is waited for. Another window may have begun a new one, even somebody else's: then nothing goes out in their name. */
async function isToRepeat({ status, code }: ApiError, csrf: string | undefined, signal?: AbortSignal): Promise<boolean> {
  const before = me.value;
  if (status === 403 && before?.accounts) {
    const response = await send("GET", "/me", undefined, signal);
    const fresh = response.ok ? ((await response.json()) as Me) : null;
    if (fresh && isSameName(fresh.name, before.name)) {
      me.value = fresh;
      return fresh.csrf !== csrf;
    }
    if (!fresh && response.status !== 401) return false;
  } else if (status !== 401 || code !== "sign_in") return false;
  await signedInAgain(signal);
  return true;
}

async function send(method: Method, path: string, body?: unknown, signal?: AbortSignal, keepalive = false): Promise<Response> {
  const headers: Record<string, string> = { "X-Annotator": nameOnTheWire() };
  if (method !== "GET" && me.value?.csrf) headers["X-CSRF-Token"] = me.value.csrf;
  if (isIdle()) headers["X-Idle"] = "1";
  const file = body instanceof Blob ? body : null;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  if (file instanceof File) headers["X-Filename"] = encodeURIComponent(file.name);
  try {
    return await fetch(PREFIX + path, { method, headers, body: file ?? (body === undefined ? null : JSON.stringify(body)), signal: signal ?? null, keepalive });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new OfflineError();
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const fallback = { code: "error", message: `The server replied ${response.status} ${response.statusText}`, remedy: "" };
  const body = (await response.json().catch(() => null)) as { error?: Partial<typeof fallback> & { revision?: number } } | null;
  const error = { ...fallback, ...body?.error };
  return new ApiError(response.status, error.code, error.message, error.remedy, error.revision ?? null, Number(response.headers.get("Retry-After") ?? 0));
}
