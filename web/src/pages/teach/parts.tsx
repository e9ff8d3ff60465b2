// Small parts of the page "teach".

import type { JSX } from "preact";
import type { Training } from "../../api/types.ts";
import { Badge, type Tone } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

const TONES: Record<Training["state"], Tone> = {
  queued: "plain",
  running: "warning",
  cancelling: "warning",
  done: "good",
  failed: "bad",
  cancelled: "plain",
};

/** A training in one word; one that is done says what came of it. */
export function StateBadge({ training }: { training: Training }): JSX.Element {
  const text = words.value.teach;
  const isPoor = training.state === "done" && training.verdict === "fail";
  if (isPoor) return <Badge tone="bad">{text.poor}</Badge>;
  return <Badge tone={TONES[training.state]}>{training.verdict === "pass" ? text.passed : text.states[training.state]}</Badge>;
}
