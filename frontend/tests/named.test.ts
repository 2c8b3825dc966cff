/** Named frames: gone to in turn, told done from open, moved to where they belong. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { NamedSlice } from "../src/api/types";
import { holdsLabel } from "../src/edits/counts";
import { goToName, isDrawn, placeName, stepName } from "../src/state/named";
import { notices } from "../src/state/notices";
import { actionsOf } from "../src/tools/keys";
import { headerOf, projectOf, sessionOf } from "./room";
import { planeOf } from "./scene";
import { turn } from "./wire";

const named = (...places: [string, number][]): NamedSlice[] => places.map(([name, index]) => ({ name, axis: 2, index, placed: false }));

function film(mask = new Uint8Array(4 * 3 * 6)) {
  return sessionOf(mask, headerOf([4, 3, 6], { over_time: true }), projectOf(), {
    frames: named(["diastole", 1], ["systole", 4]),
    parts: [
      { axis: 2, index: 1 },
      { axis: 2, index: 4 },
    ],
  });
}

afterEach(() => vi.unstubAllGlobals());

test("a case opens on its first name, whatever is queried of it", () => {
  expect(film().crosshair.value).toEqual([2, 1, 1]);
  expect(sessionOf(null, headerOf([4, 3, 6]), projectOf(), { frames: named(["apex", 5]) }).crosshair.value[2]).toBe(5);
});

test("names are gone to in turn, round and round, from where one is", () => {
  const session = film();
  const visited = [1, 1, -1, -1].map((by) => {
    stepName(session, by as 1 | -1);
    return session.crosshair.value[2];
  });
  expect(visited).toEqual([4, 1, 4, 1]);
  goToName(session, 7);
  expect(session.crosshair.value[2]).toBe(1);
});

test("a name along another axis is shown in the plane across it", () => {
  const planes = [planeOf(2, 0, 1, false, false), planeOf(0, 1, 2, false, false)];
  const session = sessionOf(null, headerOf([4, 3, 6], { planes }), projectOf(), { frames: [{ name: "mid", axis: 0, index: 3, placed: false }] });
  goToName(session, 0);
  expect([session.active.value, session.crosshair.value[0]]).toEqual([1, 3]);
});

test("done is what something is drawn on", () => {
  const mask = new Uint8Array(4 * 3 * 6);
  mask[4 * 3 * 4 + 5] = 2;
  const session = film(mask);
  expect(session.named.value.map((one) => isDrawn(session, one))).toEqual([false, true]);
  for (const [axis, holding] of [4, 3, 6].map((count, axis) => [axis, Array.from({ length: count }, (_, n) => holdsLabel(mask, [4, 3, 6], axis, n))] as const))
    expect(holding.indexOf(true)).toBe([1, 1, 4][axis]);
});

describe("moving a name", () => {
  function served(reply: object) {
    const sent: [string, unknown][] = [];
    vi.stubGlobal("fetch", async (path: string, { method, body }: RequestInit) => {
      sent.push([`${method} ${path}`, JSON.parse(String(body))]);
      return new Response(JSON.stringify(reply), { status: 200, headers: { "content-type": "application/json" } });
    });
    return sent;
  }

  test("tells the server, and the submission keeps the new place", async () => {
    const session = film();
    const moved = [session.named.value[0]!, { name: "systole", axis: 2, index: 5, placed: true }];
    const sent = served({
      frames: moved,
      parts: [
        { axis: 2, index: 1 },
        { axis: 2, index: 5 },
      ],
    });
    goToName(session, 1);
    session.moveSlice(0, 1);
    await placeName(session);
    expect(sent).toEqual([[expect.stringMatching(/^PUT .*\/assignments\/.*\/frames$/), { name: "systole", index: 5 }]]);
    expect(session.named.value).toEqual(moved);
    expect(session.isQueried(0, 5)).toBe(true);
    expect(session.isQueried(0, 4)).toBe(false);
  });

  test("twice in a row ends where it was put last, whichever reply is faster", async () => {
    const session = film();
    const replies: (() => void)[] = [];
    vi.stubGlobal("fetch", async (_: string, { body }: RequestInit) => {
      const { index } = JSON.parse(String(body)) as { index: number };
      await new Promise<void>((resolve) => replies.push(resolve));
      return new Response(JSON.stringify({ frames: named(["diastole", index], ["systole", 4]), parts: [] }), { status: 200 });
    });
    session.moveSlice(0, 1);
    const first = placeName(session);
    session.moveSlice(0, 1);
    const second = placeName(session);
    await turn();
    while (replies.length > 0) {
      replies.pop()!();
      await turn();
    }
    await Promise.all([first, second]);
    expect(session.named.value[0]!.index).toBe(3);
  });

  test("that fails is said by name, and counts as what nobody submits without", async () => {
    const session = film();
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("cut");
    });
    session.moveSlice(0, 1);
    await placeName(session);
    expect(notices.value.at(-1)?.message).toBe("“diastole” was not moved: the server does not respond");
    expect([session.named.value[0]!.index, session.refusals]).toEqual([1, 1]);
  });

  test("to where it stands sends nothing", async () => {
    const sent = served({});
    const session = film();
    await placeName(session);
    expect(sent).toEqual([]);
  });
});

test("keys of names are there where names are", () => {
  const offered = (session: ReturnType<typeof film>) =>
    actionsOf(session).filter(({ id, on }) => id.startsWith("name-") && on?.({ session, openDialog: () => undefined, leave: () => undefined }) !== false)
      .length;
  expect([film(), sessionOf(null, headerOf([4, 3, 6]))].map(offered)).toEqual([3, 0]);
});
