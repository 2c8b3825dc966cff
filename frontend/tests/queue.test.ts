import "fake-indexeddb/auto";
import { beforeEach, describe, expect, test } from "vitest";
import { ApiError, OfflineError } from "../src/api/errors";
import type { Run } from "../src/api/types";
import type { SaveState } from "../src/edits/outbox";
import { MAX_RUNS, PatchQueue } from "../src/edits/queue";
import { fitPatches, leftBehind } from "../src/edits/recovery";
import { MemoryStorage, openStorage, type PatchStorage } from "../src/edits/storage";
import { turn } from "./wire";

/** A server's draft: a revision, the patches it took, and a switch to be unreachable. */
class DraftServer {
  revision = 0;
  taken: Run[][] = [];
  failures: unknown[] = [];
  loseAnswer = false;

  send = async (base: number, runs: Run[]): Promise<number> => {
    const failure = this.failures.shift();
    if (failure) throw failure;
    if (base !== this.revision) throw new ApiError(409, "stale_revision", "stale", "read again", this.revision);
    this.taken.push(runs);
    this.revision++;
    if (this.loseAnswer) {
      this.loseAnswer = false;
      throw new OfflineError();
    }
    return this.revision;
  };
}

const PATCHES: Run[][] = [[[0, 2, 1]], [[4, 1, 2]], [[1, 1, 0]]];
let server: DraftServer;
let storage: PatchStorage;
let states: SaveState[];
let unkept: number[];
let pauses: number[];
let refusals: unknown[];

function queueAt(revision: number, pause: (ms: number) => Promise<void> = async (ms) => void pauses.push(ms)): PatchQueue {
  return new PatchQueue({
    assignment: "a",
    project: "p",
    caseId: "c",
    tab: "t",
    person: "Ada",
    revision,
    storage,
    send: server.send,
    pause,
    onState: (state, _pending, _revision, lost) => {
      states.push(state);
      unkept.push(lost);
    },
    onRefused: (error) => refusals.push(error),
  });
}

beforeEach(() => {
  server = new DraftServer();
  storage = new MemoryStorage();
  [states, unkept, pauses, refusals] = [[], [], [], []];
});

describe("the queue", () => {
  test("marks every part of an edit that took what the model proposed, and gestures once", async () => {
    const links: unknown[] = [];
    const queue = new PatchQueue({
      assignment: "a",
      project: "p",
      caseId: "c",
      tab: "t",
      person: "Ada",
      revision: 0,
      storage,
      pause: async () => undefined,
      send(base, runs, link) {
        links.push(link);
        return server.send(base, runs);
      },
      onState: () => undefined,
      onRefused: (error) => refusals.push(error),
    });
    queue.push(
      Array.from({ length: MAX_RUNS + 1 }, (_, n): Run => [2 * n, 1, 1]),
      { withdraws: ["one"], taken: true },
    );
    await queue.flushed();
    expect(links).toEqual([{ withdraws: ["one"], taken: true }, { taken: true }]);
  });

  test("sends patches in order, each on the revision of the one before", async () => {
    const queue = queueAt(0);
    PATCHES.forEach((runs) => queue.push(runs));
    await queue.flushed();
    expect(server.taken).toEqual(PATCHES);
    expect([queue.revision, states.at(-1)]).toEqual([3, "saved"]);
  });

  test("keeps a patch in the browser until the server has it", async () => {
    server.failures = [new OfflineError()];
    let release = (): void => undefined;
    const queue = queueAt(0, () => new Promise((resolve) => (release = resolve)));
    queue.push(PATCHES[0]!);
    await Promise.resolve().then(() => undefined);
    expect(await storage.all()).toHaveLength(1);
    expect(states.at(-1)).toBe("offline");
    release();
    await queue.flushed();
    expect(await storage.all()).toEqual([]);
  });

  test("waits longer after each failure, then starts short again", async () => {
    server.failures = [new OfflineError(), new ApiError(503, "storage", "locked", ""), new OfflineError()];
    const queue = queueAt(0);
    queue.push(PATCHES[0]!);
    await queue.flushed();
    server.failures = [new OfflineError()];
    queue.push(PATCHES[1]!);
    await queue.flushed();
    expect(pauses).toEqual([500, 1000, 2000, 500]);
    expect(server.taken).toEqual(PATCHES.slice(0, 2));
  });

  test("stops at a refusal, keeps everything, and tells once", async () => {
    server.revision = 5;
    const queue = queueAt(0);
    queue.push(PATCHES[0]!);
    queue.push(PATCHES[1]!);
    await expect(queue.flushed()).rejects.toThrow("not saved");
    expect(queue.unconfirmed().map((patch) => patch.runs)).toEqual(PATCHES.slice(0, 2));
    expect(refusals).toHaveLength(1);
    expect(states.at(-1)).toBe("refused");
  });

  test("goes on from the server's revision after a refusal", async () => {
    server.revision = 5;
    const queue = queueAt(0);
    queue.push(PATCHES[0]!);
    await queue.flushed().catch(() => undefined);
    queue.restart(5, [{ runs: PATCHES[0]! }, { runs: PATCHES[1]! }]);
    await queue.flushed();
    expect([queue.revision, server.taken]).toEqual([7, PATCHES.slice(0, 2)]);
    expect(await storage.all()).toEqual([]);
  });

  test("splits a patch too large for one request", async () => {
    const queue = queueAt(0);
    queue.push(Array.from({ length: 150_000 }, (_, n): Run => [2 * n, 1, 1]));
    await queue.flushed();
    expect(server.taken.map((runs) => runs.length)).toEqual([100_000, 50_000]);
  });

  test("closed leaves what is waiting in the browser for the next visit", async () => {
    server.failures = Array.from({ length: 9 }, () => new OfflineError());
    const queue = queueAt(0, () => new Promise(() => undefined));
    queue.push(PATCHES[0]!);
    await Promise.resolve().then(() => undefined);
    queue.close();
    expect(await storage.all()).toHaveLength(1);
  });

  test("a patch whose answer was lost is recognised as saved", async () => {
    server.loseAnswer = true;
    const queue = queueAt(0);
    queue.push(PATCHES[0]!);
    await queue.flushed().catch(() => undefined);
    const draft = Uint8Array.from([1, 1, 0, 0, 0]);
    expect(fitPatches(draft, { assignment: "a", revision: server.revision }, queue.unconfirmed())).toEqual({ patches: [], clean: true });
  });
});

describe("a browser that keeps nothing", () => {
  const full = (): Promise<void> => Promise.reject(new DOMException("full", "QuotaExceededError"));

  test("is not said to keep what waits, and what it could not keep is still sent when the case is left", async () => {
    storage.put = full;
    server.failures = [new OfflineError(), new OfflineError()];
    let closedAt = 0;
    const queue = queueAt(0, async () => {
      if (closedAt++ === 0) queue.close();
    });
    queue.push(PATCHES[0]!);
    await turn();
    expect(unkept).toContain(1);
    await queue.flushed().catch(() => undefined);
    await turn();
    expect(server.taken).toEqual([PATCHES[0]]);
    expect(unkept.at(-1)).toBe(0);
  });

  test("keeps for as long as the page lives where it has no storage at all, and that is no keeping", async () => {
    storage = openStorage(undefined);
    const queue = queueAt(0);
    server.failures = [new OfflineError()];
    queue.push(PATCHES[0]!);
    await turn();
    expect(unkept).toContain(1);
    expect((await storage.all()).length + server.taken.length).toBe(1);
  });

  test("is of no matter once everything is saved", async () => {
    storage.put = full;
    const queue = queueAt(0);
    queue.push(PATCHES[0]!);
    await queue.flushed();
    expect(unkept.at(-1)).toBe(0);
  });
});

describe("edits left behind", () => {
  const kept = (tab: string, seq: number, base: number, runs: Run[]) => ({ assignment: "a", project: "p", caseId: "c", tab, seq, base, runs, keptAt: seq });

  test("survive in IndexedDB and come back in order", async () => {
    const database = openStorage(indexedDB);
    for (const seq of [2, 1]) await database.put(kept("gone", seq, seq - 1, PATCHES[seq - 1]!));
    const found = await leftBehind(database, "c", "me", async () => true);
    expect(found.map((patch) => patch.runs)).toEqual(PATCHES.slice(0, 2));
    for (const patch of found) await database.remove(patch);
    expect(await database.all()).toEqual([]);
  });

  test("come back in the order in which they were drawn, also where the clock was set back in between", async () => {
    const at = (tab: string, seq: number, keptAt: number) => ({ ...kept(tab, seq, seq, PATCHES[0]!), keptAt });
    for (const patch of [at("x", 1, 5000), at("x", 2, 1000), at("x", 3, 1100), at("y", 9, 4000), at("y", 10, 6000)]) await storage.put(patch);
    const found = await leftBehind(storage, "c", "me", async () => true);
    expect(found.map(({ tab, seq }) => `${tab}${seq}`)).toEqual(["y9", "x1", "x2", "x3", "y10"]);
  });

  test("of a window that still lives are its own business", async () => {
    await storage.put(kept("alive", 1, 0, PATCHES[0]!));
    expect(await leftBehind(storage, "c", "me", async () => false)).toEqual([]);
  });

  test("fit when the draft did not move", () => {
    const fit = fitPatches(new Uint8Array(5), { assignment: "a", revision: 3 }, [kept("gone", 1, 3, PATCHES[0]!)]);
    expect(fit).toEqual({ patches: [{ runs: PATCHES[0] }], clean: true });
  });

  test("do not fit silently where others saved something beside the patch that seems to be there", () => {
    const draft = Uint8Array.from([1, 1, 0, 0, 0]);
    expect(fitPatches(draft, { assignment: "a", revision: 5 }, [kept("gone", 1, 3, PATCHES[0]!)]).clean).toBe(false);
    expect(fitPatches(draft, { assignment: "a", revision: 4 }, [kept("gone", 1, 3, PATCHES[0]!)])).toEqual({ patches: [], clean: true });
  });

  test("do not fit silently when somebody else edited, or the assignment is another", () => {
    const draft = new Uint8Array(5);
    expect(fitPatches(draft, { assignment: "a", revision: 4 }, [kept("gone", 1, 3, PATCHES[0]!)]).clean).toBe(false);
    expect(fitPatches(draft, { assignment: "b", revision: 3 }, [kept("gone", 1, 3, PATCHES[0]!)]).clean).toBe(false);
  });
});
