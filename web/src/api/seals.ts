// Seals: whose there are, bringing, sharing, taking away.

import { askBlob, askJson, step } from "./client.ts";
import { good, type Result } from "./problem.ts";
import type { Fit, Seal } from "./types.ts";

export const DIALECTS = ["sealsmith", "diffusers", "kohya"] as const;
export type Dialect = (typeof DIALECTS)[number];

export interface SealSearch {
  q?: string;
  /** The beginning of a file's SHA-256, or a short hash of its tensors. */
  hash?: string;
  after?: string;
  limit?: number;
}

export function searchSeals(search: SealSearch = {}): Promise<Result<{ seals: Seal[]; next?: string | null }>> {
  return askJson("/v1/seals", { query: { ...search } });
}

/** Every seal, part after part. */
export async function listSeals(): Promise<Result<Seal[]>> {
  const seals: Seal[] = [];
  for (let after: string | undefined; ; ) {
    const page = await searchSeals(after === undefined ? {} : { after });
    if (!page.ok) return page;
    seals.push(...page.value.seals);
    if (!page.value.next) return good(seals);
    after = page.value.next;
  }
}

export function getSeal(id: string): Promise<Result<Seal>> {
  return askJson(`/v1/seals/${step(id)}`);
}

export function importSeal(file: File, name?: string): Promise<Result<Seal>> {
  const form = new FormData();
  form.append("file", file);
  if (name) form.append("name", name);
  return askJson("/v1/seals", { method: "POST", form });
}

export function renameSeal(id: string, name: string): Promise<Result<Seal>> {
  return askJson(`/v1/seals/${step(id)}`, { method: "PATCH", json: { name } });
}

export function deleteSeal(id: string): Promise<Result<null>> {
  return askJson(`/v1/seals/${step(id)}`, { method: "DELETE" });
}

export function exportSeal(id: string, dialect: Dialect): Promise<Result<Blob>> {
  return askBlob(`/v1/seals/${step(id)}/file`, { query: { dialect } });
}

export async function fitsOf(id: string): Promise<Result<Fit[]>> {
  const answer = await askJson<{ fits: Fit[] }>(`/v1/seals/${step(id)}/fit`);
  return answer.ok ? good(answer.value.fits) : answer;
}

export async function grantsOf(id: string): Promise<Result<string[]>> {
  const answer = await askJson<{ grants: { tenant: string }[] }>(`/v1/seals/${step(id)}/grants`);
  return answer.ok ? good(answer.value.grants.map((grant) => grant.tenant)) : answer;
}

export function grant(id: string, tenant: string): Promise<Result<null>> {
  return askJson(`/v1/seals/${step(id)}/grants/${step(tenant)}`, { method: "PUT" });
}

export function ungrant(id: string, tenant: string): Promise<Result<null>> {
  return askJson(`/v1/seals/${step(id)}/grants/${step(tenant)}`, { method: "DELETE" });
}

export const thumbnailOf = (id: string): string => `/v1/seals/${step(id)}/thumbnail`;
