// Pictures, recipes and bases.

import { askJson, step } from "./client.ts";
import { good, type Result } from "./problem.ts";
import type { Base, Order, Recipe, Wish } from "./types.ts";

/** Part of the orders, the newest first; `after`: what the part before gave as `next`. */
export function listOrders(after: string | undefined, limit: number): Promise<Result<{ orders: Order[]; next: string | null }>> {
  return askJson("/v1/images", { query: { after, limit } });
}

export function placeOrder(wish: Wish): Promise<Result<Order>> {
  return askJson<Order>("/v1/images", { method: "POST", json: wish });
}

export function getOrder(id: string): Promise<Result<Order>> {
  return askJson<Order>(`/v1/images/${step(id)}`);
}

export function cancelOrder(id: string): Promise<Result<Order>> {
  return askJson<Order>(`/v1/images/${step(id)}/cancel`, { method: "POST" });
}

export function forgetOrder(id: string): Promise<Result<null>> {
  return askJson<null>(`/v1/images/${step(id)}`, { method: "DELETE" });
}

export async function listBases(): Promise<Result<Base[]>> {
  const answer = await askJson<{ bases: Base[] }>("/v1/bases");
  return answer.ok ? good(answer.value.bases) : answer;
}

export function readRecipe(file: Blob): Promise<Result<{ recipe: Recipe; parameters: string }>> {
  const form = new FormData();
  form.append("file", file);
  return askJson("/v1/recipes", { method: "POST", form });
}
