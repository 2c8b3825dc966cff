import { expect, test } from "vitest";
import { type Keyed, keysInForce } from "../src/state/ownkeys";

const brush: Keyed = { id: "brush", keys: ["B"] };
const lasso: Keyed = { id: "lasso", keys: ["Shift+B", "L"] };
const undo: Keyed = { id: "undo", keys: ["Ctrl+Z"] };
const search: Keyed = { id: "search", keys: ["/"] };
const VIEWS = [[brush, lasso, undo], [search]];
const keysOf = (own: Record<string, string[]>, fits = (_: Keyed, key: string) => key !== "Tab") => {
  const found = keysInForce(VIEWS, own, fits);
  return Object.fromEntries([...found].map(([id, { keys, lost }]) => [id, [...keys, ...lost.map(({ key, to }) => `${key} is ${to.id}`)]]));
};

test("without own keys the table holds", () => {
  expect(keysOf({})).toEqual({ brush: ["B"], lasso: ["Shift+B", "L"], undo: ["Ctrl+Z"], search: ["/"] });
});

test("an own key wins over a newer one of the table, which keeps its others", () => {
  expect(keysOf({ brush: ["Shift+B"] })).toMatchObject({ brush: ["Shift+B"], lasso: ["L", "Shift+B is brush"] });
  expect(keysOf({ lasso: ["B"] })).toMatchObject({ brush: ["B is lasso"], lasso: ["B"] });
});

test("of two own keys that meet, the action named first has it, and the other none", () => {
  expect(keysOf({ undo: ["F2"], brush: ["F2"] })).toMatchObject({ brush: ["F2"], undo: ["F2 is brush"] });
});

test("keys may be the same in different views", () => {
  expect(keysOf({ search: ["B"] })).toMatchObject({ search: ["B"], brush: ["B"] });
});

test("two actions may change places", () => {
  expect(keysOf({ brush: ["L"], lasso: ["B"] })).toMatchObject({ brush: ["L"], lasso: ["B"] });
});

test("what cannot be a key counts as not chosen, and an action that is gone disturbs nothing", () => {
  expect(keysOf({ brush: ["Tab"], lasso: [], older: ["Ctrl+Z"] })).toMatchObject({ brush: ["B"], lasso: ["Shift+B", "L"], undo: ["Ctrl+Z"] });
});
