/**
 * The fingerprint of everything the built page is made from.
 *
 * The build writes it beside the page; `tests/server/test_static_is_built.py` computes the same and
 * fails when the sources changed but the page was not built again. The rule, so that both sides agree:
 * for every file in path order, "<path>\n<sha256 of its bytes>\n"; the SHA-256 of all those lines.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export const HASHED = ["index.html", "package-lock.json", "package.json", "public", "sources.ts", "src", "tsconfig.json", "vite.config.ts"];

export function sourceDigest(root: string): string {
  const digest = createHash("sha256");
  for (const path of HASHED.flatMap((name) => filesBelow(root, name)).sort(byCodePoint)) {
    const content = createHash("sha256")
      .update(readFileSync(join(root, path)))
      .digest("hex");
    digest.update(`${path}\n${content}\n`);
  }
  return digest.digest("hex");
}

function filesBelow(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path)).flatMap((name) => filesBelow(root, `${path}/${name}`));
}

function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
