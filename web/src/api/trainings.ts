// Trainings, and what is asked before one: whether pictures and trigger will do.

import { askJson, step } from "./client.ts";
import { good, type Result } from "./problem.ts";
import type { PictureSet, Training } from "./types.ts";

export interface NewTraining {
  /** One logo, picture or zip; or several loose pictures with captions of the same stem. */
  files: File[];
  trigger: string;
  name?: string;
  is_scored?: boolean;
  settings?: Record<string, unknown>;
}

export function startTraining(wanted: NewTraining): Promise<Result<Training>> {
  const form = new FormData();
  const field = wanted.files.length === 1 ? "file" : "files";
  for (const file of wanted.files) form.append(field, file);
  form.append("trigger", wanted.trigger);
  if (wanted.name) form.append("name", wanted.name);
  if (wanted.is_scored !== undefined) form.append("is_scored", String(wanted.is_scored));
  if (wanted.settings) form.append("settings", JSON.stringify(wanted.settings));
  return askJson("/v1/trainings", { method: "POST", form });
}

export function listTrainings(after?: string): Promise<Result<{ trainings: Training[]; next: string | null }>> {
  return askJson("/v1/trainings", { query: { after } });
}

export function getTraining(id: string): Promise<Result<Training>> {
  return askJson(`/v1/trainings/${step(id)}`);
}

export function cancelTraining(id: string): Promise<Result<Training>> {
  return askJson(`/v1/trainings/${step(id)}/cancel`, { method: "POST" });
}

export function resumeTraining(id: string): Promise<Result<Training>> {
  return askJson(`/v1/trainings/${step(id)}/resume`, { method: "POST" });
}

export function forgetTraining(id: string): Promise<Result<null>> {
  return askJson(`/v1/trainings/${step(id)}`, { method: "DELETE" });
}

export function checkPictures(file: File, trigger: string, classNoun: string): Promise<Result<PictureSet>> {
  const form = new FormData();
  form.append("file", file);
  form.append("trigger", trigger);
  form.append("class_noun", classNoun);
  return askJson("/v1/picture-sets/check", { method: "POST", form });
}

export async function suggestTriggers(classNoun: string, n = 5): Promise<Result<{ word: string; why: string }[]>> {
  const query = { class_noun: classNoun, n };
  const answer = await askJson<{ suggestions: { word: string; why: string }[] }>("/v1/triggers/suggest", { query });
  return answer.ok ? good(answer.value.suggestions) : answer;
}

export function checkTrigger(word: string): Promise<Result<{ word: string; is_good: boolean; advice: string }>> {
  return askJson("/v1/triggers/check", { query: { word } });
}
