// A scorecard in plain words: every figure a question, a sentence, and where it stands on a line.

import { isRecord } from "../../state/drafts.ts";
import type { Words } from "../../words/index.ts";
import { type Interval, interval, number, part } from "./told.ts";

interface Measured {
  value: number | null;
  ci: Interval | null;
}

/** What the server measured; a figure that could not be measured is null. */
export interface Scorecard {
  verdict: string;
  reasons: string[];
  fidelity: Measured & { similarity: number | null };
  adherence: Measured & { parts: { mark: number | null; surface: number | null; colour: number | null } };
  leak: Measured;
  bleeding: Measured;
  margin: Measured;
  drift: { value: number | null; noiseFloor: number | null };
  diversity: number | null;
  numPrompts: number | null;
  numSeeds: number | null;
  numDistractors: number | null;
}

export const READING_KEYS = ["fidelity", "adherence", "leak", "margin", "drift", "bleeding", "diversity"] as const;
export type ReadingKey = (typeof READING_KEYS)[number];
export type Standing = "good" | "fair" | "poor";

export interface Reading {
  key: ReadingKey;
  question: string;
  sentence: string;
  standing: Standing;
  /** Where it stands on a line from `ends[0]` to `ends[1]`. */
  value: number;
  interval: Interval | null;
  ends: Interval;
  /** Which end a good seal is near. */
  wanted: "high" | "low";
}

export const VERDICTS = ["pass", "fail", "unproven"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One that this page has no words for proves nothing. */
export function verdictOf(card: Scorecard): Verdict {
  return VERDICTS.find((verdict) => verdict === card.verdict) ?? "unproven";
}

export function scorecardOf(value: unknown): Scorecard | null {
  if (!isRecord(value) || typeof value["verdict"] !== "string") return null;
  const [fidelity, adherence] = [part(value, "fidelity"), part(value, "adherence")];
  const [drift, settings] = [part(value, "drift"), part(value, "settings")];
  const simple = (name: string, key = "value"): Measured => ({
    value: number(part(value, name)[key]),
    ci: interval(part(value, name)["ci"]),
  });
  return {
    verdict: value["verdict"],
    reasons: Array.isArray(value["reasons"]) ? value["reasons"].map(String) : [],
    fidelity: { ...simple("fidelity", "top1"), similarity: number(fidelity["similarity"]) },
    adherence: {
      ...simple("adherence", "all"),
      parts: { mark: number(adherence["mark"]), surface: number(adherence["surface"]), colour: number(adherence["colour"]) },
    },
    leak: simple("leak", "rate"),
    bleeding: simple("bleeding"),
    margin: simple("margin"),
    drift: { value: number(drift["value"]), noiseFloor: number(drift["noise_floor"]) },
    diversity: number(value["diversity"]),
    numPrompts: number(settings["num_prompts"]),
    numSeeds: number(settings["num_seeds"]),
    numDistractors: number(settings["num_distractors"]),
  };
}

/** Every figure that was measured, in the order people ask for them. */
export function readingsOf(card: Scorecard, text: Words["prove"]): Reading[] {
  const said = text.readings;
  const { fidelity, adherence, leak, bleeding, margin, drift, diversity } = card;
  const found: (Reading | null)[] = [
    one("fidelity", fidelity, [0, 1], "high", [0.75, 0.5], (value) => said.fidelity.sentence(value, card.numDistractors)),
    one("adherence", adherence, [0, 1], "high", [0.6, 0.35], (value) => said.adherence.sentence(value, adherence.parts)),
    one("leak", leak, [0, 1], "low", [0.02, 0.1], said.leak.sentence),
    one("margin", margin, [0, 1], "high", [0.3, 0.1], said.margin.sentence),
    one("drift", { value: ratio(drift.value, drift.noiseFloor), ci: null }, [0, 1], "low", [0.35, 0.67], said.drift.sentence),
    one("bleeding", bleeding, [0, 0.5], "low", [0.05, 0.15], said.bleeding.sentence),
    one("diversity", { value: diversity, ci: null }, [0, 1.2], "high", [0.5, 0.2], said.diversity.sentence),
  ];
  return found.filter((reading) => reading !== null);

  function one(
    key: ReadingKey,
    { value, ci }: Measured,
    ends: Interval,
    wanted: Reading["wanted"],
    bars: [number, number],
    sentence: (value: number) => string,
  ): Reading | null {
    if (value === null) return null;
    const standing = standingOf(value, bars, wanted);
    return { key, question: said[key].question, sentence: sentence(value), standing, value, interval: ci, ends, wanted };
  }
}

/** The figures that could not be measured. */
export function missingIn(card: Scorecard): ReadingKey[] {
  const values: Record<ReadingKey, number | null> = {
    fidelity: card.fidelity.value,
    adherence: card.adherence.value,
    leak: card.leak.value,
    margin: card.margin.value,
    drift: card.drift.value,
    bleeding: card.bleeding.value,
    diversity: card.diversity,
  };
  return READING_KEYS.filter((key) => values[key] === null);
}

/** Why it failed: in the person's language where we know the reason, else as the server has it. */
export function reasonsOf(card: Scorecard, text: Words["prove"]): string[] {
  const own: string[] = [];
  const { margin, fidelity } = card;
  if (margin.value !== null && margin.ci && margin.ci[0] <= 0) own.push(text.reasons.margin(margin.value));
  if (fidelity.value !== null && fidelity.value < 0.5) own.push(text.reasons.fidelity(fidelity.value));
  return own.length === card.reasons.length ? own : card.reasons;
}

function standingOf(value: number, [good, fair]: [number, number], wanted: Reading["wanted"]): Standing {
  const isAt = (bar: number): boolean => (wanted === "high" ? value >= bar : value <= bar);
  return isAt(good) ? "good" : isAt(fair) ? "fair" : "poor";
}

function ratio(value: number | null, floor: number | null): number | null {
  return value !== null && floor ? value / floor : null;
}
