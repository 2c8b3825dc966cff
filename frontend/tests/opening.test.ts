/** A page that stays open while the task is changed. */
import { beforeEach, expect, test } from "vitest";
import type { Project } from "../src/api/types";
import { dismissPassing, notices } from "../src/state/notices";
import { openSession } from "../src/state/opening";
import type { CaseSession } from "../src/state/session";
import { headerOf, projectOf, sessionOf } from "./room";
import { takeStorage, takeWire, turn } from "./wire";

let task: Project | null;
let version: number;
let reads: number;

beforeEach(() => {
  takeStorage();
  dismissPassing();
  [version, reads] = [1, 0];
  takeWire(({ path }) => {
    if (path.endsWith("/next") || path.endsWith("/open")) return { json: sessionOf(null, headerOf([2, 2, 1]), projectOf(), { task_version: version }).opened };
    if (/projects\/p1$/.test(path)) reads++;
    if (/projects\/p1$/.test(path) && task) return { json: task };
    return { status: 404, json: {} };
  });
});

async function opened(): Promise<CaseSession> {
  const session = (await openSession({ ...projectOf("classification"), id: "p1" }, null, 0)) as CaseSession;
  session.close();
  await turn();
  return session;
}

const said = (): number => notices.value.filter(({ message }) => message.includes("of the task")).length;

test("opens a case with the labels of today, says so once, and goes on where that cannot be read", async () => {
  task = { ...projectOf("classification"), id: "p1" };
  expect([(await opened()).project.task_version, said(), reads]).toEqual([1, 0, 0]); // nothing is waited for where nothing changed
  version = 2;
  task = { ...task, task_version: 2, labels: [...task.labels, { value: 4, name: "cyst", colour: "#808080" }] };
  const second = await opened();
  expect([second.project.task_version, second.labels.length, said()]).toEqual([2, 4, 1]);
  dismissPassing();
  const third = await opened();
  expect([third.project, said(), reads]).toEqual([second.project, 0, 1]);
  expect(third.project).toBe(second.project); // locks and ranges are kept by it
  [task, version] = [null, 3];
  expect((await opened()).project).toBe(second.project);
});
