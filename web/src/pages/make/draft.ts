// The one draft of this browser, and what can be done with it.

import { readRecipe } from "../../api/images.ts";
import type { Recipe } from "../../api/types.ts";
import { kept } from "../../state/drafts.ts";
import { loadSeals, sealOf, seals } from "../../state/seals.ts";
import { type Draft, draftOf, EMPTY, type How, howOf, isDraft, mixOf, wishedSeal, type WishedSeal } from "../../state/wish.ts";
import { complain, say } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export const draft = kept<Draft>("make", EMPTY, isDraft);

export function change(changes: Partial<Draft>): void {
  draft.value = { ...draft.value, ...changes };
}

export function changeSeal(index: number, changes: Partial<WishedSeal["how"]>): void {
  const seals = draft.value.seals.map((seal, at) => (at === index ? { ...seal, how: { ...seal.how, ...changes } } : seal));
  change({ seals });
}

export function removeSeal(index: number): void {
  change({ seals: draft.value.seals.filter((_, at) => at !== index) });
}

/** Puts a seal of the library in, once. */
export function addSeal(word: string, how?: How): void {
  const seal = sealOf(word);
  if (!seal) return;
  const at = draft.value.seals.findIndex((one) => one.id === seal.id);
  if (at < 0) change({ seals: [...draft.value.seals, wishedSeal(seal)] });
  if (how !== undefined) changeSeal(at < 0 ? draft.value.seals.length - 1 : at, how);
}

/** Puts in what another page found out: a seal, beside those that are there; or several, which are then all. */
export function take(found: Handed): void {
  const hows = found.seals.map((word, index) => {
    const strength = found.strengths[index];
    return { word, how: strength === undefined ? undefined : howOf(1, strength) };
  });
  if (hows.length > 1) change({ seals: [], mix: mixOf(found.mix), guidance: found.guidance });
  for (const { word, how } of hows) addSeal(word, how);
}

export interface Handed {
  /** Digests or names. */
  seals: string[];
  /** Of each, as in a prompt's tag; where it is left out, strengths stay as they are. */
  strengths: string[];
  mix: string | null;
  guidance: number | null;
}

/** Brings back how a picture was made. */
export async function recall(recipe: Recipe): Promise<void> {
  if (seals.value === null) await loadSeals();
  const found = draftOf(recipe, sealOf);
  draft.value = found;
  const missing = found.seals.filter((seal) => !seal.id).map((seal) => seal.name);
  const text = words.value.make;
  say(missing.length ? text.recalledMissing(missing.join(", ")) : text.recalled);
}

/** The same, from a PNG of whoever's. */
export async function recallFile(file: File): Promise<void> {
  const answer = await readRecipe(file);
  if (answer.ok) await recall(answer.value.recipe);
  else complain(answer.problem);
}
