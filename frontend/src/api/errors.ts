/** Two ways a request ends badly: the server said no (with a remedy), or nobody answered. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy: string,
    readonly revision: number | null = null,
    /** Seconds to wait before the next try. */
    readonly retryAfter = 0,
  ) {
    super(message);
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

export class OfflineError extends Error {
  readonly remedy = "check that the server still runs, then try again";

  constructor() {
    super("The server does not respond");
  }
}

/** What needs a model was requested of a project that has none. */
export class NoModelError extends Error {
  readonly remedy = "annotate some cases first";

  constructor() {
    super("There is no model yet");
  }
}

export function isPassing(error: unknown): boolean {
  return error instanceof OfflineError || (error instanceof ApiError && error.passing);
}

/** Rule and remedy of anything thrown, for a reader. */
export function explain(error: unknown): { message: string; remedy: string } {
  if (error instanceof ApiError || error instanceof OfflineError || error instanceof NoModelError) return { message: error.message, remedy: error.remedy };
  return { message: error instanceof Error ? error.message : String(error), remedy: "reload the page" };
}
