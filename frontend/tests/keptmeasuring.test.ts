import { beforeEach, describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { PatchQueue } from "../src/edits/queue";
import { MemoryStorage } from "../src/edits/storage";
import { loadMeasurements, measuringStorage } from "../src/state/keptmeasuring";
import { finishPlacing, measureLabel, moveMeasurement, nameMeasurement, removeMeasurement } from "../src/state/measuring";
import { notices } from "../src/state/notices";
import type { CaseSession } from "../src/state/session";
import { headerOf, sessionOf } from "./room";
import { type Asked, type Reply, takeWire, turn } from "./wire";

/** A server's measurements, and a switch to be unreachable. */
let kept: Map<string, Record<string, unknown>>;
let offline: boolean;
let loseAnswer: boolean;
let refuses: (asked: Asked) => Reply | null;
let asked: Asked[];

function reply(one: Asked): Reply {
  if (offline) throw new TypeError("Failed to fetch");
  const refused = refuses(one);
  if (refused) return refused;
  if (one.method === "GET") return { json: [...kept.values()].filter(({ withdrawn_at }) => withdrawn_at === null) };
  if (!one.body || !/measurements/.test(one.path)) return { json: {} };
  const { withdrawn, ...fields } = one.body;
  const id = one.method === "POST" ? String(fields.id) : one.path.split("/").at(-1)!;
  const old = kept.get(id);
  const fresh = { id, axis: null, index: null, points: [], note: "", withdrawn_at: null, own: true, figures: { length_mm: 7 } };
  if (one.method === "PATCH" || !old)
    kept.set(id, { ...(old ?? fresh), ...fields, ...(withdrawn !== undefined && { withdrawn_at: withdrawn ? "now" : null }) });
  if (!loseAnswer) return { json: kept.get(id) };
  loseAnswer = false;
  throw new TypeError("Failed to fetch");
}

const ENDS: Triple[] = [
  [1, 1, 2],
  [4, 5, 2],
];

function opened(mask: Uint8Array | null = null): CaseSession {
  return sessionOf(mask, headerOf([8, 8, 4]));
}

/** As the panel does. */
async function shown(mask: Uint8Array | null = null): Promise<CaseSession> {
  const session = opened(mask);
  await loadMeasurements(session);
  return session;
}

function measure(session: CaseSession, points: Triple[] = ENDS): string {
  session.measurements.placing.value = { kind: "length", axis: 2, index: 2, points };
  finishPlacing(session);
  return session.measurements.chosen.value!;
}

const lines = ({ measurements }: CaseSession) => measurements.kept.value.map(({ id, note, figures }) => ({ id, note, figures }));
const sent = (): string[] => asked.filter(({ method }) => method !== "GET").map(({ method }) => method);

beforeEach(async () => {
  [kept, offline, loseAnswer, refuses] = [new Map(), false, false, () => null];
  asked = takeWire(reply);
  notices.value = [];
  for (const item of await measuringStorage.all()) await measuringStorage.remove(item);
});

describe("a measurement", () => {
  test("is shown at once with the page's figures, and with the server's once it is kept there", async () => {
    const session = await shown();
    const id = measure(session);
    expect(lines(session)).toEqual([{ id, note: "", figures: { length_mm: 5 } }]);
    await turn();
    expect(lines(session)).toEqual([{ id, note: "", figures: { length_mm: 7 } }]);
    expect(await measuringStorage.all()).toEqual([]);
  });

  test("taken, moved and named offline is kept in the browser and sent in order when the server is back", async () => {
    const session = await shown();
    offline = true;
    const id = measure(session);
    moveMeasurement(session, id, [
      [1, 1, 2],
      [1, 4, 2],
    ]);
    nameMeasurement(session, id, "width");
    await turn();
    expect([session.measurements.offline.value, session.measurements.sending.value, (await measuringStorage.all()).length]).toEqual([true, 3, 3]);
    expect(lines(session)).toEqual([{ id, note: "width", figures: { length_mm: 3 } }]);
    offline = false;
    asked.length = 0;
    session.measurements.outbox!.retryNow();
    await turn();
    expect(sent()).toEqual(["POST", "PATCH", "PATCH"]);
    expect([kept.get(id)!.note, session.measurements.offline.value, await measuringStorage.all()]).toEqual(["width", false, []]);
  });

  test("whose answer was lost is sent again under its id, and is one", async () => {
    const session = await shown();
    loseAnswer = true;
    const id = measure(session);
    await turn();
    session.measurements.outbox!.retryNow();
    await turn();
    expect([[...kept.keys()], lines(session).length, sent()]).toEqual([[id], 1, ["POST", "POST"]]);
  });

  test("left with its case while offline comes back with the next visit, and is sent then", async () => {
    const first = await shown();
    offline = true;
    const id = measure(first);
    await turn();
    first.close();
    await turn();
    offline = false;
    const second = await shown();
    expect(lines(second).map((one) => one.id)).toEqual([id]);
    expect(notices.value.at(-1)?.message).toBe("1 change of measurements kept in this browser came back");
    await turn();
    expect([[...kept.keys()], await measuringStorage.all()]).toEqual([[id], []]);
  });

  test("that the server refuses goes away with what was changed of it, in words, and the next one goes on", async () => {
    const session = await shown();
    offline = true;
    const bad = measure(session);
    nameMeasurement(session, bad, "wrong");
    const good = measure(session, [
      [0, 0, 2],
      [3, 0, 2],
    ]);
    await turn();
    offline = false;
    refuses = ({ body }) => (body?.id === bad ? { status: 400, json: { error: { code: "input", message: "Too many", remedy: "remove some" } } } : null);
    session.measurements.outbox!.retryNow();
    await turn();
    expect([[...kept.keys()], lines(session).map(({ id }) => id), notices.value.at(-1)?.message]).toEqual([[good], [good], "Too many"]);
  });

  test("is taken away and brought back, offline too", async () => {
    const session = await shown();
    const id = measure(session);
    await turn();
    offline = true;
    removeMeasurement(session, id);
    await turn();
    expect(lines(session)).toEqual([]);
    notices.value.at(-1)!.action!.act();
    expect(lines(session).map((one) => one.id)).toEqual([id]);
    offline = false;
    session.measurements.outbox!.retryNow();
    await turn();
    expect([kept.get(id)!.withdrawn_at, lines(session).length]).toEqual([null, 1]);
  });

  test("placed before the list has come is not lost to it", async () => {
    kept.set("measurement-of-old", { id: "measurement-of-old", note: "old", withdrawn_at: null, figures: {} });
    const session = opened();
    const loading = loadMeasurements(session);
    const id = measure(session);
    await loading;
    await turn();
    expect(lines(session).map((one) => one.id)).toEqual(["measurement-of-old", id]);
  });
});

test("a label is measured once by a double click, and anew once something was drawn or it was removed", async () => {
  const session = await shown(new Uint8Array(8 * 8 * 4).fill(1));
  const queue = { revision: 5, pending: 0, flushed: async () => undefined };
  session.queue = queue as unknown as PatchQueue;
  const again = async (): Promise<number> => {
    await measureLabel(session, "slice");
    await turn();
    return session.measurements.kept.value.length;
  };
  expect([await again(), await again()]).toEqual([1, 1]);
  expect(notices.value.at(-1)?.message).toBe("This is measured already");
  queue.revision = 6;
  expect(await again()).toBe(2);
  removeMeasurement(session, session.measurements.chosen.value!);
  expect(await again()).toBe(2);
});

test("a label is measured as it was then: its request waits for the edits before it, and names their revision", async () => {
  const session = await shown(new Uint8Array(256));
  let arrive = (_: number): void => undefined;
  session.queue = new PatchQueue({
    assignment: "a1",
    project: "p1",
    caseId: "c1",
    tab: "t",
    person: "local",
    revision: 4,
    storage: new MemoryStorage(),
    send: () => new Promise((resolve) => (arrive = resolve)),
    pause: async () => undefined,
    onState: () => undefined,
    onRefused: () => undefined,
  });
  session.queue.push([[0, 3, 1]]);
  await measureLabel(session, "volume");
  session.queue.push([[9, 3, 1]]);
  await turn();
  expect([sent(), lines(session).length]).toEqual([[], 1]);
  arrive(5);
  await turn();
  arrive(6);
  await turn();
  expect(asked.find(({ method }) => method === "POST")!.body).toMatchObject({ kind: "label", assignment_id: "a1", revision: 5 });
});
