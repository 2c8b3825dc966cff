import { afterEach, expect, test } from "vitest";
import { notices } from "../src/state/notices";
import { followProposals } from "../src/state/proposals";
import { LOOK_MS } from "../src/state/sight";
import { submitSession } from "../src/state/submitting";
import { headerOf, projectOf, sessionOf } from "./room";
import { turn } from "./wire";

const asked: string[] = [];
let tellPage: (event: { data: string }) => void;

class Stream {
  readyState = 1;
  addEventListener(name: string, act: typeof tellPage): void {
    if (name === "proposal") tellPage = act;
  }
  close(): void {
    // Nothing is open here.
  }
}

afterEach(() => delete (globalThis as { EventSource?: unknown }).EventSource);

test("a proposal that comes into a blank draft by itself must be looked at before it can be submitted", async () => {
  (globalThis as { EventSource?: unknown }).EventSource = Stream;
  (globalThis as { location?: unknown }).location = { hash: "" };
  const header = headerOf([9, 9, 1]);
  globalThis.fetch = async (path) => {
    asked.push(String(path));
    if (/mask$|uncertainty$/.test(String(path))) return new Response(new Uint8Array(81).fill(1));
    return new Response(JSON.stringify({ ...projectOf(), id: "pr1", model: { id: "m1", index: 1 }, model_index: 1 }));
  };
  const session = sessionOf(new Uint8Array(81), header);
  session.sight.painted(performance.now() - LOOK_MS);
  session.emptyMeant = true; // a first Enter was pressed; the second one is on its way
  const stop = followProposals(session);
  await turn();
  tellPage({ data: JSON.stringify({ case_id: header.id, prediction_id: "pr1" }) });
  await turn();
  expect(session.draft.value!.mask.every((value) => value === 1)).toBe(true);
  await submitSession(session);
  expect([asked.some((path) => path.endsWith("/submit")), notices.value.at(-1)!.message]).toEqual([false, expect.stringContaining("nothing was submitted")]);
  session.sight.painted(performance.now() - LOOK_MS);
  await submitSession(session);
  expect(asked.at(-1)).toContain("/submit");
  stop();
});
