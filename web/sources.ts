// The digest of everything a build is made of. tests/server/test_studio.py computes the same without node.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FILES = ["index.html", "package.json", "package-lock.json", "sources.ts", "tsconfig.json", "vite.config.ts"];

/** SHA-256 over the lines `path NUL sha256 LF` of all sources, sorted by path. */
export function digestOfSources(root: string): string {
  const inside = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1).replaceAll("\\", "/"));
  const whole = createHash("sha256");
  for (const path of [...FILES, ...inside].sort()) {
    const digest = createHash("sha256").update(readFileSync(join(root, path))).digest("hex");
    whole.update(`${path}\0${digest}\n`);
  }
  return whole.digest("hex");
}
