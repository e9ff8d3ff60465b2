// The base that pictures are drawn on, once the engine is there to say.

import { effect, signal } from "@preact/signals";
import { listBases } from "../api/images.ts";
import type { Problem } from "../api/problem.ts";
import type { Base } from "../api/types.ts";
import { session } from "./session.ts";

const AGAIN_MS = 2000;

export const base = signal<Base | null>(null);
export const baseProblem = signal<Problem | null>(null);

/** Asks until there is an answer: an engine that is being started says 503 for a while. */
export async function loadBase(): Promise<void> {
  if (base.value) return;
  const answer = await listBases();
  if (session.value.is !== "in") return;
  baseProblem.value = answer.ok ? null : answer.problem;
  if (answer.ok) base.value = answer.value[0] ?? null;
  else if (answer.problem.status >= 500 || answer.problem.status === 0) setTimeout(() => void loadBase(), AGAIN_MS);
}

effect(() => {
  if (session.value.is === "out") base.value = null;
});
