// Small parts of the page "prove".

import type { JSX } from "preact";
import type { Study } from "../../api/types.ts";
import { Badge } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function VerdictBadge({ verdict }: { verdict: string | null }): JSX.Element {
  const text = words.value.prove;
  if (verdict === "pass") return <Badge tone="good">{text.passed}</Badge>;
  if (verdict === "fail") return <Badge tone="bad">{text.failed}</Badge>;
  return <Badge>{text.unmeasured}</Badge>;
}

/** Where a file of a study is, by its name; null when it has none of that name. */
export function pathOf(study: Study, name: unknown): string | null {
  return study.files.find((file) => file.name === name)?.url ?? null;
}
