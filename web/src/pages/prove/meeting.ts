// What a study of seals in one picture found, as the page has it. Pure.

import type { SealUse, Study } from "../../api/types.ts";
import { isRecord } from "../../state/drafts.ts";
import { pathOf } from "./files.ts";
import { type Interval, interval, list, number, part, type Told } from "./told.ts";

/** Of pictures, 0 to 1. */
export interface Share {
  value: number;
  interval: Interval | null;
  likeness: number | null;
}

/** One way of putting seals together, and how they came out. */
export interface Way {
  /** As a prompt takes them, in order of the seals. */
  tags: string[];
  mix: string;
  /** Null: the base's own. */
  guidance: number | null;
  found: Share[];
  both: Share;
}

export interface Advised {
  seals: SealUse[];
  /** Whether it is another way than the old one. */
  isBetter: boolean;
  isSure: boolean;
}

/** How two seals' weights meet. */
export interface Crossing {
  seals: [string, string];
  /** Predicted, to the first by the second and to the second by the first. */
  damage: Interval | null;
  cosine: number | null;
  /** Share of all that the two answer of each other's, the largest first. */
  blocks: { name: string; share: number }[];
  layers: Layer[];
}

export interface Layer {
  path: string;
  block: string;
  share: number;
  read: number;
  written: number;
  cosine: number;
}

export interface Scene {
  prompt: string;
  seed: string;
  views: View[];
}

export interface View {
  what: string;
  /** Names of the seals that the judge found. */
  found: string[];
  path: string;
}

export interface Meeting {
  seals: string[];
  alone: Share[];
  before: Way;
  /** The best that was tried; null where nothing did better in the search. */
  after: Way | null;
  numTried: number;
  /** Null from a server that only has a sentence. */
  advised: Advised | null;
  advice: string;
  crossings: Crossing[];
  scenes: Scene[];
}

/** Null for what is no such study's result. */
export function meetingOf(study: Study): Meeting | null {
  const result = study.result ?? {};
  const pictures = part(result, "pictures");
  const before = wayOf(pictures["before"]);
  if (!before) return null;
  const seals = list(pictures["seals"]).map(String);
  return {
    seals,
    alone: list(pictures["alone"]).filter(isRecord).map(shareOf),
    before,
    after: wayOf(pictures["after"]),
    numTried: Math.max(0, list(pictures["trials"]).length - 1),
    advised: advisedOf(result["advised"]),
    advice: String(pictures["advice"] ?? ""),
    crossings: list(result["weights"]).filter(isRecord).map(crossingOf),
    scenes: list(result["scenes"]).filter(isRecord).map((scene) => sceneOf(study, seals, scene)),
  };
}

/** The seal that is alone in what the server calls "… alone"; null where it calls it otherwise. */
export function aloneIn(what: string): string | null {
  const end = " alone";
  return what.endsWith(end) ? what.slice(0, -end.length) : null;
}

function wayOf(value: unknown): Way | null {
  if (!isRecord(value)) return null;
  return {
    tags: list(value["strengths"]).map(String),
    mix: String(value["mix"]),
    guidance: number(value["guidance"]),
    found: list(value["found"]).filter(isRecord).map(shareOf),
    both: shareOf(part(value, "both")),
  };
}

function shareOf(value: Told): Share {
  return { value: number(value["value"]) ?? 0, interval: interval(value["ci"]), likeness: number(value["likeness"]) };
}

function advisedOf(value: unknown): Advised | null {
  if (!isRecord(value)) return null;
  return {
    seals: list(value["seals"]).filter(isRecord).map((use) => ({ name: String(use["name"]), strength: String(use["strength"]) })),
    isBetter: value["is_better"] === true,
    isSure: value["is_sure"] === true,
  };
}

function crossingOf(value: Told): Crossing {
  const [first = "", second = ""] = list(value["seals"]).map(String);
  const blocks = Object.entries(part(value, "blocks"));
  return {
    seals: [first, second],
    damage: interval(value["damage"]),
    cosine: number(value["cosine"]),
    blocks: blocks.map(([name, share]) => ({ name, share: number(share) ?? 0 })).sort((a, b) => b.share - a.share),
    layers: list(value["layers"]).filter(isRecord).map(layerOf),
  };
}

function layerOf(value: Told): Layer {
  return {
    path: String(value["path"]),
    block: String(value["block"]),
    share: number(value["crossed"]) ?? 0,
    read: number(part(value, "read")["value"]) ?? 0,
    written: number(part(value, "written")["value"]) ?? 0,
    cosine: number(value["cosine"]) ?? 0,
  };
}

function sceneOf(study: Study, seals: string[], value: Told): Scene {
  const views = list(value["views"]).filter(isRecord).flatMap((view) => {
    const path = pathOf(study, view["file"]);
    const found = list(view["found"]);
    return path ? [{ what: String(view["what"]), found: seals.filter((_, index) => found[index] === true), path }] : [];
  });
  return { prompt: String(value["prompt"] ?? ""), seed: String(value["seed"] ?? ""), views };
}
