// Orders of pictures: the server's list is the truth; those under way are followed. What was asked for in this browser is
// remembered with it, so that an order has its words before its first picture is done, and after the server let go of it.

import { computed, effect, signal } from "@preact/signals";
import { follow, type ServerEvent } from "../api/events.ts";
import { cancelOrder, forgetOrder, listOrders, placeOrder } from "../api/images.ts";
import { good, type Problem, type Result } from "../api/problem.ts";
import type { Order, Picture, Recipe } from "../api/types.ts";
import { isRecord, kept } from "./drafts.ts";
import { me, refreshMe, session } from "./session.ts";
import { type Draft, isDraft, wishOf } from "./wish.ts";

/** A browser keeps six connections to a host; more orders than these are looked at by asking. */
const MAX_FOLLOWED = 3;
const ASK_EVERY_MS = 2500;
const MAX_REMEMBERED = 60;
/** Orders that are asked for at once: more than one person may have under way. */
const PART = 100;

interface Remembered {
  /** Whose it was. */
  tenant: string;
  /** Seconds since 1970. */
  created: number;
  draft: Draft;
}

/** The newest first, as far as they were asked for; null: not asked yet. */
export const orders = signal<Order[] | null>(null);
/** What to ask for the rest with; null: there is none. */
const rest = signal<string | null>(null);
export const areAllLoaded = computed(() => orders.value !== null && rest.value === null);
export const ordersProblem = signal<Problem | null>(null);
/** By `order/index`: the latest preview, as an address of data. */
export const previews = signal<Record<string, string>>({});
/** The last order to end, for who hears rather than sees. */
export const lastEnded = signal<Order | null>(null);
const remembered = kept<Record<string, Remembered>>("orders", {}, areRemembered, true);

const followed = new Map<string, () => void>();
const otherTabs = new BroadcastChannel("sealsmith.orders");
let asking: ReturnType<typeof setTimeout> | undefined;

otherTabs.onmessage = () => void loadOrders();
addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && orders.value) void loadOrders();
});

effect(() => {
  if (session.value.is !== "out") return;
  for (const stop of followed.values()) stop();
  followed.clear();
  clearTimeout(asking);
  orders.value = null;
  rest.value = null;
  previews.value = {};
});

/** Asks anew for as many orders as are there, one part at the least. */
export async function loadOrders(): Promise<void> {
  await load(orders.value?.length ?? 0);
}

/** Asks for a part more. */
export async function loadOlder(): Promise<void> {
  await load((orders.value?.length ?? 0) + 1);
}

async function load(atLeast: number): Promise<void> {
  const answer = await newest(atLeast);
  if (session.value.is !== "in") return;
  ordersProblem.value = answer.ok ? null : answer.problem;
  if (answer.ok) {
    orders.value = answer.value.orders;
    rest.value = answer.value.next;
    followOpen();
  }
}

async function newest(atLeast: number): Promise<Result<{ orders: Order[]; next: string | null }>> {
  const found: Order[] = [];
  for (let after: string | undefined; ; ) {
    const part = await listOrders(after, PART);
    if (!part.ok) return part;
    found.push(...part.value.orders);
    if (part.value.next === null || found.length >= atLeast) return good({ orders: found, next: part.value.next });
    after = part.value.next;
  }
}

export async function place(draft: Draft, defaultSteps: number): Promise<Result<Order>> {
  const answer = await placeOrder(wishOf(draft, defaultSteps));
  if (!answer.ok) return answer;
  remember(answer.value, draft);
  orders.value = [answer.value, ...(orders.value ?? [])];
  otherTabs.postMessage("placed");
  followOpen();
  void refreshMe();
  return answer;
}

export async function cancel(id: string): Promise<Result<Order>> {
  const answer = await cancelOrder(id);
  if (answer.ok) replace(answer.value);
  return answer;
}

/** Drops an order here and there; one that the server has let go of already is no error. */
export async function remove(id: string): Promise<Result<null>> {
  const answer = await forgetOrder(id);
  if (!answer.ok && answer.problem.status !== 404) return answer;
  followed.get(id)?.();
  followed.delete(id);
  orders.value = (orders.value ?? []).filter((order) => order.id !== id);
  const { [id]: _dropped, ...others } = remembered.value;
  remembered.value = others;
  otherTabs.postMessage("removed");
  return { ok: true, value: null };
}

export const isOpen = (order: Order): boolean => order.state !== "done" && order.state !== "failed";

/** The recipe of a finished picture; null for one that is none, or that cannot be read. */
export function recipeOf(picture: Picture | undefined): Recipe | null {
  if (!picture?.recipe) return null;
  try {
    return JSON.parse(picture.recipe) as Recipe;
  } catch {
    return null;
  }
}

/** What an order asked for, where this browser placed it. */
export const draftOfOrder = (id: string): Draft | null => remembered.value[id]?.draft ?? null;

/** Orders of this person that the server has let go of, the newest first. */
export function goneOrders(): { id: string; created: number; draft: Draft }[] {
  if (orders.value === null) return [];
  const there = new Set(orders.value.map((order) => order.id));
  const since = areAllLoaded.value ? 0 : (orders.value.at(-1)?.created ?? 0);
  const tenant = me.value?.tenant.id ?? "";
  return Object.entries(remembered.value)
    .filter(([id, one]) => one.tenant === tenant && !there.has(id) && one.created >= since)
    .map(([id, one]) => ({ id, ...one }))
    .sort((one, other) => other.created - one.created);
}

/** Forgets what was asked for in this browser. */
export function forgetHistory(): void {
  remembered.value = {};
}

function remember(order: Order, draft: Draft): void {
  const one = { tenant: me.value?.tenant.id ?? "", created: order.created, draft };
  const all = Object.entries({ ...remembered.value, [order.id]: one });
  all.sort(([, a], [, b]) => b.created - a.created);
  remembered.value = Object.fromEntries(all.slice(0, MAX_REMEMBERED));
}

function followOpen(): void {
  const open = (orders.value ?? []).filter(isOpen);
  const oldestFirst = [...open].reverse();
  for (const order of oldestFirst) {
    if (followed.size >= MAX_FOLLOWED) break;
    if (followed.has(order.id)) continue;
    followed.set(
      order.id,
      follow(order.events_url, (event) => event.kind === "end", {
        event: (event) => hear(order.id, event),
        ended: () => ended(order.id),
      }),
    );
  }
  clearTimeout(asking);
  if (open.length > followed.size) asking = setTimeout(() => void loadOrders(), ASK_EVERY_MS);
}

/** The story is over, or the server will not tell it: its list says what came of it. */
function ended(id: string): void {
  followed.delete(id);
  void loadOrders().then(() => {
    lastEnded.value = orders.value?.find((order) => order.id === id) ?? null;
  });
  void refreshMe();
}

function hear(id: string, event: ServerEvent): void {
  const data = isRecord(event.data) ? event.data : {};
  const index = data["index"];
  const order = orders.value?.find((one) => one.id === id);
  if (!order || typeof index !== "number") return;
  if (event.kind === "preview" && typeof data["png"] === "string") {
    previews.value = { ...previews.value, [`${id}/${index}`]: `data:image/png;base64,${data["png"]}` };
  }
  const pictures = order.pictures.map((picture) => (picture.index === index ? changed(picture, event.kind, data) : picture));
  replace({ ...order, state: stateOf(pictures), pictures });
}

/** A picture after an event of its own. */
export function changed(picture: Picture, kind: string, data: Record<string, unknown>): Picture {
  switch (kind) {
    case "loading":
      return { ...picture, state: "loading" };
    case "step":
      return { ...picture, state: "drawing", step: Number(data["step"]), num_steps: Number(data["num_steps"]) };
    case "done":
      return data["picture"] as Picture;
    case "failed": {
      const error = { code: String(data["code"]), message: String(data["message"]), remedy: String(data["remedy"]) };
      return { ...picture, state: "failed", error };
    }
    default:
      return picture;
  }
}

/** As the server has it: that of the last picture to end, failed when one failed. */
function stateOf(pictures: Picture[]): Order["state"] {
  const states = new Set(pictures.map((picture) => picture.state));
  if (states.has("drawing")) return "drawing";
  if (states.has("loading")) return "loading";
  if (states.has("waiting")) return "waiting";
  return states.has("failed") ? "failed" : "done";
}

function replace(order: Order): void {
  orders.value = (orders.value ?? []).map((one) => (one.id === order.id ? order : one));
  if (!isOpen(order)) {
    const rest = Object.entries(previews.value).filter(([key]) => !key.startsWith(`${order.id}/`));
    previews.value = Object.fromEntries(rest);
  }
}

function areRemembered(value: unknown): value is Record<string, Remembered> {
  return (
    isRecord(value) &&
    Object.values(value).every(
      (one) => isRecord(one) && typeof one["tenant"] === "string" && typeof one["created"] === "number" && isDraft(one["draft"]),
    )
  );
}
