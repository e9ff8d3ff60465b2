// A wish for pictures as the composer holds it, and as it goes to the server and comes back from a recipe. Pure.

import type { Recipe, Seal, Wish } from "../api/types.ts";

export interface WishedSeal {
  /** Its digest; empty for one that a recipe names and the library has not. */
  id: string;
  name: string;
  trigger: string;
  how: How;
}

/** How strongly a seal acts, where, and when. */
export interface How {
  strength: number;
  /** Block weights: a preset's name or a list of numbers; empty: 1 everywhere. */
  blocks: string;
  /** Parts of the way, 0 to 1, between which the seal acts. */
  start: number;
  stop: number;
  /** What else a strength can say, as text; it takes the place of all above. */
  text: string;
}

export interface Draft {
  prompt: string;
  negative: string;
  seals: WishedSeal[];
  n: number;
  /** Null: by chance. */
  seed: number | null;
  /** What is null is left to the base. */
  steps: number | null;
  guidance: number | null;
  sampler: string;
  width: number | null;
  height: number | null;
  /** How several seals act together; left out: as the base does best. */
  mix?: Mix | undefined;
}

export const MIXES = ["sum", "switch", "composite", "masked"] as const;
export type Mix = (typeof MIXES)[number];

/** A way of mixing by its name; what is none of ours is left to the base. */
export const mixOf = (name: string | null | undefined): Mix | undefined => MIXES.find((mix) => mix === name);

export const EMPTY: Draft = {
  prompt: "",
  negative: "",
  seals: [],
  n: 4,
  seed: null,
  steps: null,
  guidance: null,
  sampler: "",
  width: null,
  height: null,
};

export const PLAIN: How = { strength: 1, blocks: "", start: 0, stop: 1, text: "" };
export const PRESETS = ["INS", "IND", "INALL", "MIDALL", "MIDD", "OUTD", "OUTS", "OUTALL", "ALL0.5"] as const;
const PREVIEWS = 8;

export function wishedSeal(seal: Seal, how: How = PLAIN): WishedSeal {
  return { id: seal.id, name: seal.name, trigger: seal.trigger, how };
}

/** The request. `defaultSteps`: the base's, to space the previews by. */
export function wishOf(draft: Draft, defaultSteps: number): Wish {
  const steps = draft.steps ?? defaultSteps;
  return {
    prompt: draft.prompt,
    n: draft.n,
    preview_every: Math.max(1, Math.ceil(steps / PREVIEWS)),
    ...(draft.negative.trim() && { negative: draft.negative }),
    ...(draft.seals.length && { seals: draft.seals.map((seal) => ({ name: seal.id || seal.name, strength: strengthOf(seal.how) })) }),
    ...(draft.seed !== null && { seed: draft.seed }),
    ...(draft.steps !== null && { steps: draft.steps }),
    ...(draft.guidance !== null && { guidance: draft.guidance }),
    ...(draft.sampler && { sampler: draft.sampler }),
    ...(draft.width !== null && { width: draft.width }),
    ...(draft.height !== null && { height: draft.height }),
    ...(draft.mix && draft.seals.length > 1 && { mix: draft.mix }),
  };
}

/** A number, or text as in a prompt's tag. */
export function strengthOf(how: How): number | string {
  if (how.text.trim()) return how.text.trim();
  const parts = [String(how.strength)];
  if (how.blocks.trim()) parts.push(`lbw=${how.blocks.replaceAll(" ", "")}`);
  if (how.start > 0) parts.push(`start=${fraction(how.start)}`);
  if (how.stop < 1) parts.push(`stop=${fraction(how.stop)}`);
  return parts.length === 1 ? how.strength : parts.join(":");
}

/** What a strength's text means; what is more than the composer's controls can say stays text. */
export function howOf(strength: number, text: string): How {
  if (!text) return { ...PLAIN, strength };
  const how = { ...PLAIN };
  for (const [index, part] of text.split(":").entries()) {
    const [name = "", value = ""] = part.split("=", 2);
    if (index === 0 && value === "" && isNumber(name)) how.strength = Number(name);
    else if (name === "lbw" && value) how.blocks = value;
    else if (name === "start" && isFraction(value)) how.start = Number(value);
    else if (name === "stop" && isFraction(value)) how.stop = Number(value);
    else return { ...PLAIN, strength, text };
  }
  return how;
}

/** The draft that draws a recipe's picture again. `find`: a seal of the library by digest or name. */
export function draftOf(recipe: Recipe, find: (word: string) => Seal | undefined): Draft {
  return {
    prompt: recipe.prompt_typed || recipe.prompt,
    negative: recipe.negative,
    seals: recipe.seals.map((use) => {
      const known = (use.file_hash && find(use.file_hash)) || find(use.name);
      const how = howOf(use.strength, use.how);
      return known ? wishedSeal(known, how) : { id: "", name: use.name, trigger: use.trigger, how };
    }),
    n: 1,
    seed: recipe.seed,
    steps: recipe.num_steps || null,
    guidance: recipe.guidance || null,
    sampler: recipe.sampler,
    width: recipe.width || null,
    height: recipe.height || null,
    mix: recipe.seals.length > 1 ? mixOf(recipe.mix) : undefined,
  };
}

/** What a stored draft must be to be believed. */
export function isDraft(value: unknown): value is Draft {
  if (typeof value !== "object" || value === null) return false;
  const draft = value as Partial<Record<keyof Draft, unknown>>;
  const numbers = [draft.seed, draft.steps, draft.guidance, draft.width, draft.height];
  return (
    [draft.prompt, draft.negative, draft.sampler].every((each) => typeof each === "string") &&
    numbers.every((each) => each === null || typeof each === "number") &&
    typeof draft.n === "number" &&
    (draft.mix === undefined || MIXES.some((mix) => mix === draft.mix)) &&
    Array.isArray(draft.seals) &&
    draft.seals.every(isWishedSeal)
  );
}

function isWishedSeal(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const seal = value as Partial<WishedSeal>;
  const how = seal.how as Partial<How> | undefined;
  return (
    [seal.id, seal.name, seal.trigger, how?.blocks, how?.text].every((each) => typeof each === "string") &&
    [how?.strength, how?.start, how?.stop].every((each) => typeof each === "number")
  );
}

/** A fraction with a point, which a strength's text tells from a number of steps. */
function fraction(value: number): string {
  const text = String(Math.round(100 * value) / 100);
  return text.includes(".") ? text : `${text}.0`;
}

const isNumber = (text: string): boolean => /^-?\d*\.?\d+$/.test(text);
const isFraction = (text: string): boolean => /^[01]?\.\d+$/.test(text) && Number(text) <= 1;
