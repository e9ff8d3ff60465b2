// What an operator may ask: tenants, keys, how the service is.

import { askJson } from "./client.ts";
import { good, type Result } from "./problem.ts";
import type { Key, Me, NewKey, Quota, Scope, Status, Tenant } from "./types.ts";

export function whoAmI(key?: string | null): Promise<Result<Me>> {
  return askJson("/v1/me", key === undefined ? {} : { key });
}

export async function listTenants(): Promise<Result<Tenant[]>> {
  const answer = await askJson<{ tenants: Tenant[] }>("/v1/admin/tenants");
  return answer.ok ? good(answer.value.tenants) : answer;
}

export function createTenant(name: string, quota?: Partial<Quota>): Promise<Result<Tenant>> {
  return askJson("/v1/admin/tenants", { method: "POST", json: quota ? { name, quota } : { name } });
}

export function changeQuota(tenant: string, quota: Quota): Promise<Result<Tenant>> {
  return askJson(`/v1/admin/tenants/${tenant}`, { method: "PATCH", json: { quota } });
}

export async function listKeys(): Promise<Result<Key[]>> {
  const answer = await askJson<{ keys: Key[] }>("/v1/admin/keys");
  return answer.ok ? good(answer.value.keys) : answer;
}

export interface WantedKey {
  tenant: string;
  scopes: Scope[];
  name: string;
  days?: number;
}

export function createKey(wanted: WantedKey): Promise<Result<NewKey>> {
  return askJson("/v1/admin/keys", { method: "POST", json: wanted });
}

export function rotateKey(prefix: string, keepMinutes: number): Promise<Result<NewKey>> {
  const json = { keep_minutes: keepMinutes };
  return askJson(`/v1/admin/keys/${encodeURIComponent(prefix)}/rotate`, { method: "POST", json });
}

export function revokeKey(prefix: string): Promise<Result<Key>> {
  return askJson(`/v1/admin/keys/${encodeURIComponent(prefix)}`, { method: "DELETE" });
}

export function getStatus(): Promise<Result<Status>> {
  return askJson("/v1/admin/status");
}
