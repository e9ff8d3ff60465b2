// Files of studies.

import type { Study } from "../../api/types.ts";

/** Where a file of a study is, by its name; null when it has none of that name. */
export function pathOf(study: Study, name: unknown): string | null {
  return study.files.find((file) => file.name === name)?.url ?? null;
}
