// Studies: long looks at seals, which are jobs as trainings are.

import { askJson, step } from "./client.ts";
import type { Result } from "./problem.ts";
import type { SealUse, Study, StudyKind } from "./types.ts";

export interface Asked {
  score: { seal: string; num_prompts?: number; num_seeds?: number; steps?: number };
  attention: { prompt: string; seals: SealUse[]; seed?: number; steps?: number };
  sweep: { seal: string; axis: string; values?: number[]; second_axis?: string; second_values?: number[] };
  conflicts: { seals: string[]; num_prompts?: number; num_seeds?: number; num_search?: number };
}

const PATHS: Record<StudyKind, string> = {
  score: "/v1/scores",
  attention: "/v1/attention",
  sweep: "/v1/sweeps",
  conflicts: "/v1/conflicts",
};

export function startStudy<K extends StudyKind>(kind: K, asked: Asked[K]): Promise<Result<Study>> {
  return askJson(PATHS[kind], { method: "POST", json: asked });
}

export function listStudies(kind?: StudyKind, after?: string): Promise<Result<{ studies: Study[]; next: string | null }>> {
  return askJson("/v1/studies", { query: { kind, after } });
}

export function getStudy(id: string): Promise<Result<Study>> {
  return askJson(`/v1/studies/${step(id)}`);
}

export function cancelStudy(id: string): Promise<Result<Study>> {
  return askJson(`/v1/studies/${step(id)}/cancel`, { method: "POST" });
}

export function resumeStudy(id: string): Promise<Result<Study>> {
  return askJson(`/v1/studies/${step(id)}/resume`, { method: "POST" });
}

export function forgetStudy(id: string): Promise<Result<null>> {
  return askJson(`/v1/studies/${step(id)}`, { method: "DELETE" });
}
