import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { sourceDigest } from "./sources.ts";

const ROOT = import.meta.dirname;
const STATIC = join(ROOT, "../src/medloop/server/static");

const writeDigest: Plugin = {
  name: "medloop-source-digest",
  apply: "build",
  closeBundle() {
    writeFileSync(join(STATIC, "sources.sha256"), `${sourceDigest(ROOT)}\n`);
  },
};

interface Modules {
  getModuleInfo(id: string): { isEntry: boolean; importers: readonly string[] } | null;
}

const first = new Map<string, boolean>();

/** Whether a module comes with the first view: the entry imports it, through others or not, without `import()`. */
function comesFirst(id: string, modules: Modules): boolean {
  const known = first.get(id);
  if (known !== undefined) return known;
  first.set(id, false); // what imports itself through others is decided by those
  const info = modules.getModuleInfo(id);
  const comes = info !== null && (info.isEntry || info.importers.some((one) => comesFirst(one, modules)));
  first.set(id, comes);
  return comes;
}

export default defineConfig({
  base: "/",
  plugins: [writeDigest],
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    // Data URIs would need a wider Content-Security-Policy than default-src 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // One script for the first view: in pieces, which parts that come later would share, it is larger compressed.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: (id: string, modules: Modules) => (comesFirst(id, modules) ? "page" : null) }] } } },
  },
  server: { proxy: { "/api": process.env.MEDLOOP_SERVER ?? "http://127.0.0.1:8000" } },
  test: { include: ["tests/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
