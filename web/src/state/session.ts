// Who is signed in. The key stands in this tab's storage, or in the browser's when the person wants to stay.

import { computed, signal } from "@preact/signals";
import { whoAmI } from "../api/admin.ts";
import { forgetBlobs } from "../api/blobs.ts";
import { access } from "../api/client.ts";
import type { Problem, Result } from "../api/problem.ts";
import type { Me, Scope } from "../api/types.ts";
import { forgetDrafts } from "./drafts.ts";

const NAME = "sealsmith.key";
const AGAIN_MS = 3000;

export type Session =
  | { is: "starting" }
  | { is: "out"; problem: Problem | null }
  | { is: "in"; key: string | null; me: Me };

export const session = signal<Session>({ is: "starting" });
export const me = computed<Me | null>(() => (session.value.is === "in" ? session.value.me : null));
export const may = (scope: Scope): boolean => me.value?.scopes.includes(scope) ?? false;

/** Whether the key came by a link and is kept for this tab alone. */
export const isTabOnly = signal(false);

let key: string | null = null;
access.key = () => key;
access.refused = lockOut;

/** Takes the key from the address (`#key=…`) or from storage, and sees whether it holds. */
export async function start(): Promise<void> {
  const given = /^#key=(seal_[\w-]+)$/.exec(location.hash)?.[1];
  if (location.hash.startsWith("#key=")) history.replaceState(null, "", location.pathname);
  if (given) store(given, false);
  isTabOnly.value = given !== undefined;
  await enter(given ?? stored(), false);
}

/** Tries again with the key that is there, or without one. */
export function tryAgain(): Promise<Result<Me>> {
  return enter(stored(), false);
}

/** Keeps the key in this browser from now on. */
export function stay(): void {
  if (key !== null) store(key, true);
  isTabOnly.value = false;
}

/** Signs in; null is no key, which a local service is content with. */
export async function enter(candidate: string | null, isStaying: boolean): Promise<Result<Me>> {
  const answer = await whoAmI(candidate);
  if (!answer.ok) {
    const isRefused = answer.problem.status === 401;
    if (isRefused) forget();
    else if (stored() === candidate) setTimeout(() => session.value.is === "out" && void tryAgain(), AGAIN_MS);
    session.value = { is: "out", problem: candidate === null && isRefused ? null : answer.problem };
    return answer;
  }
  key = candidate;
  if (candidate !== null && stored() !== candidate) store(candidate, isStaying);
  session.value = { is: "in", key: candidate, me: answer.value };
  return answer;
}

/** Asks anew who we are, for what has been used by now. */
export async function refreshMe(): Promise<void> {
  const now = session.value;
  if (now.is !== "in") return;
  const answer = await whoAmI(now.key);
  if (answer.ok && session.value.is === "in" && session.value.key === now.key) {
    session.value = { ...session.value, me: answer.value };
  }
}

/** Signs out, and leaves nothing of the person in this browser. */
export async function leave(): Promise<void> {
  forget();
  await forgetDrafts();
  location.replace(location.pathname);
}

/** The key holds no longer. Drafts stay, for when there is another. */
function lockOut(problem: Problem): void {
  forget();
  key = null;
  isTabOnly.value = false;
  forgetBlobs();
  session.value = { is: "out", problem };
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

function store(value: string, isStaying: boolean): void {
  try {
    (isStaying ? localStorage : sessionStorage).setItem(NAME, value);
  } catch {
    return;
  }
}

function forget(): void {
  try {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
  } catch {
    return;
  }
}
