// How long and how thoroughly to teach, in three words; and what an expert may say beside them.

import { signal } from "@preact/signals";
import { isOneOf, isRecord, isString, kept } from "../../state/drafts.ts";
import { keptFiles } from "../../state/files.ts";

export const PRESETS = ["quick", "balanced", "thorough"] as const;
export type Preset = (typeof PRESETS)[number];

interface Numbers {
  num_steps: number;
  rank: number;
  checkpoint_every: number;
  num_checkpoints_scored: number;
  preview_every: number;
}

export const PRESET_SETTINGS: Record<Preset, Numbers> = {
  quick: { num_steps: 120, rank: 8, checkpoint_every: 60, num_checkpoints_scored: 1, preview_every: 30 },
  balanced: { num_steps: 400, rank: 8, checkpoint_every: 100, num_checkpoints_scored: 3, preview_every: 50 },
  thorough: { num_steps: 1000, rank: 16, checkpoint_every: 100, num_checkpoints_scored: 5, preview_every: 100 },
};

/** The server's own names; what they are to people is in words/teach.ts. */
export const METHODS = [
  "lora",
  "dora",
  "rslora",
  "loha",
  "lokr",
  "textual-inversion",
  "pivotal",
  "hypernetwork",
  "dreambooth",
] as const;
export type Method = (typeof METHODS)[number];

/** What is left null is the preset's or the base's. */
export interface Further {
  method: Method;
  num_steps: number | null;
  rank: number | null;
  learning_rate: number | null;
  batch_size: number | null;
  preview_every: number | null;
  seed: number | null;
  train_text_encoder: boolean;
  is_scored: boolean;
}

export const NOTHING_FURTHER: Further = {
  method: "lora",
  num_steps: null,
  rank: null,
  learning_rate: null,
  batch_size: null,
  preview_every: null,
  seed: null,
  train_text_encoder: false,
  is_scored: true,
};

/** The form as it was left. */
export const draft = {
  files: keptFiles("teach.files"),
  trigger: kept("teach.trigger", "", isString),
  classNoun: kept("teach.noun", "", isString),
  name: kept("teach.name", "", isString),
  preset: kept<Preset>("teach.preset", "balanced", isOneOf(...PRESETS)),
  further: kept<Further>("teach.further", NOTHING_FURTHER, isFurther),
  isSending: signal(false),
};

function isFurther(value: unknown): value is Further {
  if (!isRecord(value) || !METHODS.some((method) => method === value["method"])) return false;
  const numbers = ["num_steps", "rank", "learning_rate", "batch_size", "preview_every", "seed"];
  const flags = ["train_text_encoder", "is_scored"];
  return (
    numbers.every((name) => value[name] === null || typeof value[name] === "number") &&
    flags.every((name) => typeof value[name] === "boolean")
  );
}

/** What is sent as `settings`: the preset, then all that was said beside it. */
export function settingsOf(preset: Preset, further: Further, classNoun: string): Record<string, unknown> {
  const { method, train_text_encoder, is_scored: _, ...numbers } = further;
  const settings: Record<string, unknown> = spaced(PRESET_SETTINGS[preset], further.num_steps);
  for (const [name, value] of Object.entries(numbers)) if (value !== null) settings[name] = value;
  if (method !== "lora") settings["method"] = method;
  if (train_text_encoder) settings["train_text_encoder"] = true;
  if (classNoun.trim()) settings["class_noun"] = classNoun.trim();
  return settings;
}

/** The preset for another number of steps: what comes every so often comes as many times. */
function spaced(usual: Numbers, numSteps: number | null): Record<string, unknown> {
  const share = (numSteps ?? usual.num_steps) / usual.num_steps;
  const every = (steps: number): number => Math.max(1, Math.round(share * steps));
  return { ...usual, checkpoint_every: every(usual.checkpoint_every), preview_every: every(usual.preview_every) };
}
