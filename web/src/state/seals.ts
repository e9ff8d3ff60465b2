// The seals that the caller may use, as the server lists them; shared by all pages.

import { effect, signal } from "@preact/signals";
import type { Problem } from "../api/problem.ts";
import { listSeals } from "../api/seals.ts";
import type { Seal } from "../api/types.ts";
import { session } from "./session.ts";

/** Null: not asked yet. */
export const seals = signal<Seal[] | null>(null);
export const sealsProblem = signal<Problem | null>(null);

effect(() => {
  if (session.value.is === "out") seals.value = null;
});

export async function loadSeals(): Promise<void> {
  const answer = await listSeals();
  sealsProblem.value = answer.ok ? null : answer.problem;
  if (answer.ok) seals.value = answer.value;
}

/** The seal of this digest, or else of this name. */
export function sealOf(word: string): Seal | undefined {
  const all = seals.value ?? [];
  return all.find((seal) => seal.id === word) ?? all.find((seal) => seal.name === word);
}
