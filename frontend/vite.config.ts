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
  },
  server: { proxy: { "/api": process.env.MEDLOOP_SERVER ?? "http://127.0.0.1:8000" } },
  test: { include: ["tests/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
