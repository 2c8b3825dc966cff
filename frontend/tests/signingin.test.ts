import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { getJson, sendJson, sendOpen } from "../src/api/client";
import { gives, may, maySomewhere, me } from "../src/api/me";
import { annotatorName } from "../src/api/person";
import { enter, signInWanted } from "../src/api/signingin";
import type { Me } from "../src/api/types";
import { isOwn } from "../src/state/saving";
import { whyLooksOnly } from "../src/state/session";
import { ALONE, projectOf } from "./room";
import { takeWire, turn } from "./wire";

const meOf = (name: string, csrf = name): Me => ({ ...ALONE, accounts: true, name, csrf, verbs: ["look"], gives: [] });
const SIGN_IN = { status: 401, json: { error: { code: "sign_in", message: "Nobody is signed in", remedy: "sign in" } } };
const FORBIDDEN = { status: 403, json: { error: { code: "forbidden", message: "No", remedy: "" } } };

afterEach(() => void vi.useRealTimers());
beforeEach(() => {
  me.value = meOf("Mia");
  signInWanted.value = false;
});

test("a change carries the CSRF token of the session, a question does not", async () => {
  const asked = takeWire(() => ({ json: {} }));
  await sendJson("POST", "/a", {});
  await getJson("/b");
  expect(asked.map(({ headers }) => headers["X-CSRF-Token"])).toEqual(["Mia", undefined]);
});

test("what the page reads while nobody sits before it says so", async () => {
  const asked = takeWire(() => ({ json: {} }));
  await getJson("/a");
  vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ["Date"] });
  await getJson("/b");
  expect(asked.map(({ headers }) => headers["X-Idle"])).toEqual([undefined, "1"]);
});

test("what meets an ended session waits, and goes out again with the new session of the same person", async () => {
  let ended = true;
  const asked = takeWire(() => (ended ? SIGN_IN : { json: { revision: 4 } }));
  const sent = sendJson("PATCH", "/draft", { runs: [] });
  await turn();
  expect(signInWanted.value).toBe(true);
  ended = false;
  expect(enter(meOf("MIA", "fresh"))).toBe(true);
  expect(await sent).toEqual({ revision: 4 });
  expect([signInWanted.value, asked.at(-1)!.headers["X-CSRF-Token"]]).toEqual([false, "fresh"]);
});

test("another person's session sends nothing of what waits", async () => {
  const asked = takeWire(() => SIGN_IN);
  let settled = false;
  void sendJson("PATCH", "/draft", {}).finally(() => (settled = true));
  await turn();
  expect(enter(meOf("Ben"))).toBe(false);
  await turn();
  expect([asked.length, settled, annotatorName.value]).toEqual([1, false, "Mia"]);
});

test("a session begun anew in another window is taken over once, and a refusal that stands is given", async () => {
  const asked = takeWire(({ path, headers }) => {
    if (path.endsWith("/me")) return { json: meOf("Mia", "fresh") };
    return headers["X-CSRF-Token"] === "fresh" && !path.endsWith("/train") ? { json: {} } : FORBIDDEN;
  });
  await sendJson("POST", "/submit", {});
  expect(asked.map(({ path }) => path.split("/").at(-1))).toEqual(["submit", "me", "submit"]);
  await expect(sendJson("POST", "/train", {})).rejects.toThrow("No");
});

test("somebody else's session, begun in another window, sends nothing in the name of the first", async () => {
  const asked = takeWire(({ path }) => (path.endsWith("/me") ? { json: meOf("Ben") } : FORBIDDEN));
  void sendJson("PATCH", "/draft", {});
  await turn();
  expect([signInWanted.value, asked.length, annotatorName.value]).toEqual([true, 2, "Mia"]);
});

test("what is refused to who signs in is theirs to read", async () => {
  takeWire(() => SIGN_IN);
  await expect(sendOpen("/sign-in", {})).rejects.toThrow("Nobody is signed in");
  expect(signInWanted.value).toBe(false);
});

test("a request that nobody waits for any more does not wait for a sign-in", async () => {
  takeWire(() => SIGN_IN);
  const abort = new AbortController();
  const sent = getJson("/cases", abort.signal);
  await turn();
  abort.abort();
  await expect(sent).rejects.toThrow();
});

test("rights are those of the project, else those for all projects", () => {
  me.value = { ...meOf("Mia"), projects: [{ project_id: "p1", name: "P", verbs: ["look", "annotate", "manage"], gives: ["viewer"] }] };
  expect([may("annotate", "p1"), may("annotate", "new"), may("manage"), maySomewhere("manage")]).toEqual([true, false, false, true]);
  expect([gives("p1"), gives(null)]).toEqual([["viewer"], []]);
  me.value = null;
  expect(may("look", "p1")).toBe(false);
});

test("who may not annotate looks only, and reads why; a project that can only be read says its own reason", () => {
  expect(whyLooksOnly(projectOf())).toContain("annotate");
  expect(whyLooksOnly({ ...projectOf(), read_only: "a read-only disk" })).toBe("a read-only disk");
  me.value = ALONE;
  expect(whyLooksOnly(projectOf())).toBe("");
});

test("edits kept in the browser belong to who drew them; without accounts, to everybody", () => {
  const kept = (person?: string) => ({ assignment: "a", tab: "t", seq: 1, project: "p", caseId: "c", base: 0, runs: [], keptAt: 0, ...(person && { person }) });
  expect(["mia", "Ben", undefined].map((person) => isOwn(kept(person)))).toEqual([true, false, false]);
  me.value = ALONE;
  expect(["mia", "Ben", undefined].map((person) => isOwn(kept(person)))).toEqual([true, true, true]);
});
