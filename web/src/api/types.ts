// What the server answers, as docs/api.md has it. Fields that an older server may lack are optional.

export type Scope = "generate" | "train" | "admin";

export interface Me {
  tenant: { id: string; name: string };
  scopes: Scope[];
  quota: Quota;
  usage: Usage;
  is_local: boolean;
}

/** Null: as much as they like. */
export interface Quota {
  pictures_a_day: number | null;
  trainings_at_once: number | null;
  storage_bytes: number | null;
}

export interface Usage {
  pictures_today: number;
  trainings: number;
  storage_bytes: number;
}

export interface Base {
  name: string;
  digest: string;
  family: string;
  precision: string;
  device: string;
  steps: number;
  guidance: number;
  side_px: number;
  side_step_px: number;
  sampler: string;
  samplers: string[];
}

export interface Seal {
  id: string;
  name: string;
  added: string;
  size_bytes: number;
  title: string;
  trigger: string;
  class_noun: string;
  family: string;
  base: string;
  method: string;
  rank: number;
  num_layers: number;
  verdict?: string | null;
  scorecard?: Record<string, unknown> | null;
  is_own?: boolean;
  owner?: string;
  has_thumbnail?: boolean;
}

export interface Fit {
  base: string;
  family: string;
  verdict: "fits" | "partly" | "no";
  matched: number;
  total: number;
  message: string;
}

export interface SealUse {
  name: string;
  strength: number | string;
}

export interface Wish {
  prompt: string;
  negative?: string;
  seals?: SealUse[];
  n?: number;
  seed?: number;
  steps?: number;
  guidance?: number;
  sampler?: string;
  width?: number;
  height?: number;
  mix?: string;
  use_trigger?: boolean;
  preview_every?: number;
}

export type PictureState = "waiting" | "loading" | "drawing" | "done" | "failed";

export interface ErrorDetail {
  code: string;
  message: string;
  remedy: string;
}

export interface Picture {
  index: number;
  seed: number;
  state: PictureState;
  step: number;
  num_steps: number | null;
  url: string | null;
  /** JSON of a Recipe. */
  recipe: string | null;
  warnings: string[];
  error: ErrorDetail | null;
}

export interface Order {
  id: string;
  state: PictureState;
  /** Seconds since 1970. */
  created: number;
  prompt: string;
  events_url: string;
  pictures: Picture[];
}

export interface RecipeSeal {
  name: string;
  strength: number;
  trigger: string;
  file_hash: string;
  tensor_hash: string;
  /** The whole strength as text, where a number does not say it all. */
  how: string;
}

export interface Recipe {
  prompt: string;
  prompt_typed: string;
  negative: string;
  seed: number;
  num_steps: number;
  guidance: number;
  sampler: string;
  width: number;
  height: number;
  base: string;
  base_digest: string;
  seals: RecipeSeal[];
  mix: string;
  version: string;
}

export type JobState = "queued" | "running" | "cancelling" | "done" | "failed" | "cancelled";

export interface Progress {
  stage: string;
  done: number;
  total: number;
  left_s: number | null;
  loss: number | null;
}

export interface JobFile {
  id: string;
  kind: string;
  name: string;
  media_type: string;
  url: string;
}

export interface Training {
  id: string;
  state: JobState;
  name: string;
  trigger: string;
  created: string;
  started: string | null;
  ended: string | null;
  attempts: number;
  progress: Progress | null;
  error: ErrorDetail | null;
  seal: string | null;
  verdict: string | null;
  warnings: string[];
  /** What was asked for; an older server does not say. */
  settings?: { num_steps?: number } & Record<string, unknown>;
  /** The step whose state became the seal. */
  chosen_step?: number | null;
  /** Of the checkpoints that were compared, by step. */
  scores?: Record<string, number> | null;
  events_url: string;
  files: JobFile[];
}

export type StudyKind = "score" | "attention" | "sweep" | "conflicts";

export interface Study {
  id: string;
  kind: StudyKind;
  state: JobState;
  seals: string[];
  created: string;
  started: string | null;
  ended: string | null;
  progress: Progress | null;
  error: ErrorDetail | null;
  result: Record<string, unknown> | null;
  files: JobFile[];
  events_url: string;
}

export interface PictureSet {
  kind: "folder" | "zip" | "logo";
  num_pictures: number;
  num_captions: number;
  num_masks: number;
  class_noun: string | null;
  digest: string;
  warnings: string[];
}

export interface Tenant {
  id: string;
  name: string;
  created: string;
  quota: Quota;
  usage: Usage;
}

export interface Key {
  prefix: string;
  tenant: string;
  name: string;
  scopes: Scope[];
  created: string;
  expires: string | null;
  last_used: string | null;
  state: "valid" | "expired" | "revoked";
}

export interface NewKey extends Key {
  /** Shown this once. */
  key: string;
}

export interface Tier {
  used_bytes: number;
  total_bytes: number;
  seals: number;
}

export interface Status {
  version: string;
  engine: {
    starts: number;
    is_ready: boolean;
    base: string;
    queued: number;
    drawing: number;
    pool: Tier | null;
    tiers: { ram: Tier | null; disk: Tier | null };
  };
  workers: { pid: number | null; state: "running" | "waiting"; restarts: number }[];
  /** Null where nothing is trained. */
  jobs: { queued: number; running: number; failed_today: number } | null;
  orders: { open: number };
  pictures_per_s_1m: number;
}
