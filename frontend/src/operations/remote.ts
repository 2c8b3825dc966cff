/** Has tasks worked out beside the page, so that it never freezes; only the newest one counts. */
import type { Task } from "./perform";

let worker: Worker | null = null;
let busy = false;

/** What a task wants; never settles where a newer task came first. */
export async function workOut(task: Task): Promise<Int32Array> {
  if (typeof Worker === "undefined") return (await import("./perform")).perform(task); // outside a browser
  if (busy) letGo();
  worker ??= new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  busy = true;
  const own = worker;
  return new Promise((resolve, reject) => {
    own.onmessage = ({ data }: MessageEvent<Int32Array>) => {
      busy = false;
      resolve(data);
    };
    own.onerror = ({ message }) => {
      letGo();
      reject(new Error(`This could not be worked out: ${message || "the browser refused the worker"}; try it on one slice`));
    };
    own.postMessage(task);
  });
}

/** Nobody waits for what is being worked out. */
export function letGo(): void {
  worker?.terminate();
  worker = null;
  busy = false;
}
