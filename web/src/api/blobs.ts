// Pictures that only a key may fetch, as addresses an <img> can show. The newest are kept.

import { askBlob } from "./client.ts";
import type { Result } from "./problem.ts";

const MAX_KEPT = 200;
const kept = new Map<string, Promise<Result<Blob>>>();

/** The bytes behind a path, fetched once while they are kept; what failed is tried again next time. */
export function blobOf(path: string): Promise<Result<Blob>> {
  const known = kept.get(path);
  if (known) {
    kept.delete(path);
    kept.set(path, known);
    return known;
  }
  const fetched = askBlob(path).then((result) => {
    if (!result.ok) kept.delete(path);
    return result;
  });
  kept.set(path, fetched);
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break;
    kept.delete(oldest);
  }
  return fetched;
}

/** Forgets one path, whose bytes have changed, or all, when somebody else signs in. */
export function forgetBlobs(path?: string): void {
  if (path === undefined) kept.clear();
  else kept.delete(path);
}

/** Saves bytes as a file of the person's own. */
export function saveAs(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
