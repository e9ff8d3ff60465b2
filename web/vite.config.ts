// Builds the studio into the Python package, which serves it: `make studio`.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { digestOfSources } from "./sources.ts";

const STATIC = join(import.meta.dirname, "../src/sealsmith/server/static");

/** Writes which sources the build was made of, so that a stale one is noticed without node. */
function saysWhatItWasMadeOf(): Plugin {
  return {
    name: "says-what-it-was-made-of",
    closeBundle() {
      const sources = digestOfSources(import.meta.dirname);
      writeFileSync(join(STATIC, "build.json"), `${JSON.stringify({ sources })}\n`);
    },
  };
}

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [saysWhatItWasMadeOf()],
  // The server refuses pages of another name than its own, so the name stays.
  server: { proxy: { "/v1": { target: "http://127.0.0.1:7860", changeOrigin: false } } },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox128", "safari17.5"], // which know light-dark()
    modulePreload: { polyfill: false }, // it would be an inline script's work
    assetsInlineLimit: 0, // the content policy allows no data: but for pictures
  },
});
