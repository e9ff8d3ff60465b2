// A verdict on a seal, as a badge: what score/verdict.py says, in one word and a colour.

import type { JSX } from "preact";
import { words } from "../words/index.ts";
import { Badge, type Tone } from "./parts.tsx";

const TONES: Record<string, Tone> = { pass: "good", fail: "bad" };

/** `verdict`: as a scorecard has it; null or empty: nobody has looked yet. */
export function VerdictBadge({ verdict }: { verdict: string | null | undefined }): JSX.Element {
  const text = words.value.shell.verdicts;
  if (!verdict) return <Badge>{text.none}</Badge>;
  const said: Record<string, string> = { pass: text.pass, fail: text.fail };
  return <Badge tone={TONES[verdict] ?? "plain"}>{said[verdict] ?? verdict}</Badge>;
}
