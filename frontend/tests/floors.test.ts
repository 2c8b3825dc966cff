import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

/** From the bottom up; folders on one line do not import each other. */
const FLOORS = [["browser"], ["api"], ["geometry"], ["volume", "edits"], ["operations"], ["render"], ["state"], ["tools"], ["views"], ["main.tsx"]];

const SRC = join(import.meta.dirname, "../src");
const FILES = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
const bare = (name: string): string => name.replace(/\.tsx?$/, "");
/** What each file imports, types too. */
const IMPORTS = new Map(
  FILES.map((file) => {
    const found = readFileSync(join(SRC, file), "utf8").matchAll(/from "(\.[^"]+)"/g);
    return [bare(file), [...found].map((match) => normalize(join(dirname(file), match[1]!)))];
  }),
);
const folderOf = (file: string): string => (file === "main" ? "main.tsx" : file.split("/")[0]!);
const floorOf = (file: string): number => FLOORS.findIndex((floor) => floor.includes(folderOf(file)));

test("every folder stands on a floor", () => {
  expect([...IMPORTS.keys()].filter((file) => floorOf(file) < 0)).toEqual([]);
});

test("imports point downwards only", () => {
  const wrong = [...IMPORTS].flatMap(([file, found]) => found.filter((other) => !isBelow(file, other)).map((other) => `${file} → ${other}`));
  expect(wrong).toEqual([]);
});

test("no file imports itself through others", () => {
  expect([...IMPORTS.keys()].filter((file) => reached(file).has(file))).toEqual([]);
});

function isBelow(file: string, other: string): boolean {
  const [from, to] = [folderOf(file), folderOf(other)];
  return from === to || floorOf(other) < floorOf(file);
}

function reached(file: string): Set<string> {
  const seen = new Set<string>();
  const left = [...IMPORTS.get(file)!];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    left.push(...(IMPORTS.get(next) ?? []));
  }
  return seen;
}
