/** One place that talks HTTP: the prefix, the annotator's name, the error shape. */

import { ApiError, OfflineError } from "./errors";
import { nameOnTheWire } from "./person";

export const PREFIX = "/api/v1";

type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await respond("GET", path, undefined, signal)).json() as Promise<T>;
}

export async function sendJson<T>(method: Method, path: string, body: unknown): Promise<T> {
  return (await respond(method, path, body)).json() as Promise<T>;
}

/** The raw answer, for voxels; gzip content encoding is undone by the browser. */
export function getBytes(path: string, signal?: AbortSignal): Promise<Response> {
  return respond("GET", path, undefined, signal);
}

async function respond(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { "X-Annotator": nameOnTheWire() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(PREFIX + path, { method, headers, body: body === undefined ? null : JSON.stringify(body), signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new OfflineError();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  const fallback = { code: "error", message: `The server replied ${response.status} ${response.statusText}`, remedy: "" };
  const body = (await response.json().catch(() => null)) as { error?: Partial<typeof fallback> & { revision?: number } } | null;
  const error = { ...fallback, ...body?.error };
  return new ApiError(response.status, error.code, error.message, error.remedy, error.revision ?? null);
}
