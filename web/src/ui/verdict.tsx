// A verdict on a seal, as a scorecard has it, in a word and a colour.

import type { JSX } from "preact";
import { words } from "../words/index.ts";
import { Badge } from "./parts.tsx";

/** `verdict`: null or empty where nobody has measured yet. */
export function VerdictBadge({ verdict }: { verdict: string | null | undefined }): JSX.Element {
  const text = words.value.prove;
  if (verdict === "pass") return <Badge tone="good">{text.passed}</Badge>;
  if (verdict === "fail") return <Badge tone="bad">{text.failed}</Badge>;
  if (verdict === "unproven") return <Badge tone="warning">{text.unproven}</Badge>;
  return <Badge>{text.unmeasured}</Badge>;
}
