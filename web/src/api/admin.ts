// What an operator may ask: tenants, keys, how the service is.

import { askJson, step } from "./client.ts";
import { good, type Result } from "./problem.ts";
import type { Key, Me, NewKey, Quota, Scope, Status, Tenant } from "./types.ts";

export function whoAmI(key?: string | null): Promise<Result<Me>> {
  return askJson("/v1/me", key === undefined ? {} : { key });
}

export function listTenants(): Promise<Result<Tenant[]>> {
  return everyPart<"tenants", Tenant>("/v1/admin/tenants", "tenants");
}

export function createTenant(name: string, quota?: Partial<Quota>): Promise<Result<Tenant>> {
  return askJson("/v1/admin/tenants", { method: "POST", json: quota ? { name, quota } : { name } });
}

export function changeQuota(tenant: string, quota: Quota): Promise<Result<Tenant>> {
  return askJson(`/v1/admin/tenants/${step(tenant)}`, { method: "PATCH", json: { quota } });
}

export function listKeys(): Promise<Result<Key[]>> {
  return everyPart<"keys", Key>("/v1/admin/keys", "keys");
}

async function everyPart<N extends string, T>(path: string, name: N): Promise<Result<T[]>> {
  const all: T[] = [];
  for (let after: string | undefined; ; ) {
    const part = await askJson<Record<N, T[]> & { next: string | null }>(path, { query: { after, limit: 200 } });
    if (!part.ok) return part;
    all.push(...part.value[name]);
    if (!part.value.next) return good(all);
    after = part.value.next;
  }
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
  return askJson(`/v1/admin/keys/${step(prefix)}/rotate`, { method: "POST", json });
}

export function revokeKey(prefix: string): Promise<Result<Key>> {
  return askJson(`/v1/admin/keys/${step(prefix)}`, { method: "DELETE" });
}

export function getStatus(): Promise<Result<Status>> {
  return askJson("/v1/admin/status");
}
