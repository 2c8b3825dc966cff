import { beforeEach, expect, test } from "vitest";
import type { CaseLine } from "../src/api/types";
import { filtersOf } from "../src/state/filters";
import { Grid } from "../src/state/grid";
import { projectOf } from "./room";
import { type Asked, takeWire, turn } from "./wire";

let asked: Asked[];

const lineOf = (id: string): CaseLine => ({ id, name: id, state: "unlabelled" }) as CaseLine;

async function gridOf(...ids: string[]): Promise<Grid> {
  asked = takeWire(({ path }) => {
    if (path.includes("/cases?")) return { json: { rows: ids.map(lineOf), total: ids.length, cursor: "" } };
    const opened = /cases\/(\w+)\/open$/.exec(path)?.[1];
    return { json: opened ? { assignment: { id: `of-${opened}` } } : {} };
  });
  const grid = new Grid(projectOf("classification"), filtersOf(""));
  await grid.more();
  grid.openLooked();
  await turn();
  return grid;
}

/** What was opened, submitted and given back, in order. */
const done = (): string[] => asked.flatMap(({ path }) => /(?:cases|assignments)\/([\w-]+\/(?:open|submit|release|undo))$/.exec(path)?.[1] ?? []);

let grid: Grid;
beforeEach(async () => {
  grid = await gridOf("a", "b", "c", "d");
});

test("a picture that is passed over is given back at once, and opened anew when somebody comes back to it", async () => {
  grid.goTo(1);
  grid.openLooked();
  await turn();
  grid.goTo(0);
  grid.openLooked();
  await turn();
  expect(done()).toEqual(["a/open", "b/open", "of-a/release", "a/open", "of-b/release"]);
});

test("what is selected stays open until it is selected no longer", async () => {
  grid.goTo(2, true);
  grid.openLooked();
  await turn();
  grid.chosen.value = new Set();
  grid.openLooked();
  await turn();
  expect(done().sort()).toEqual(["a/open", "b/open", "c/open", "of-a/release", "of-b/release"]);
});

test("what has its class is not given back, neither on the way nor when the grid is left", async () => {
  await grid.give(1);
  grid.openLooked();
  await turn();
  grid.releaseAll();
  await turn();
  expect(done()).toEqual(["a/open", "of-a/submit", "b/open", "of-b/release"]);
});

test("undo takes the last key back, also while its class is on its way and whichever arrives first", async () => {
  const replies: (() => void)[] = [];
  const sent = globalThis.fetch;
  globalThis.fetch = async (path, init) => {
    if (String(path).endsWith("/submit")) await new Promise<void>((resolve) => replies.push(resolve));
    return sent(path, init);
  };
  const first = grid.give(1);
  await turn();
  const second = grid.give(0);
  await turn();
  const undone = grid.undo();
  replies.reverse().forEach((reply) => reply());
  await Promise.all([first, second, undone]);
  expect(done().filter((one) => one.endsWith("undo"))).toEqual(["of-b/undo"]);
  expect([...grid.given.value.keys()]).toEqual(["a"]);
});

test("a class that was taken back leaves its picture to be passed over as any other", async () => {
  await grid.give(1);
  await grid.undo();
  grid.goTo(3);
  grid.openLooked();
  await turn();
  expect(done()).toContain("of-a/release");
});
