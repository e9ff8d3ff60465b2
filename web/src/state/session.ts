// Who is signed in. The key stands in this tab's storage, or in the browser's when the person wants to stay.
//
// A key that is refused is forgotten, and no other with it. One that comes by a link is kept when it has opened something,
// and takes no other's place unasked: whoever follows a stranger's link stays who they are.

import { computed, signal } from "@preact/signals";
import { whoAmI } from "../api/admin.ts";
import { forgetBlobs } from "../api/blobs.ts";
import { access } from "../api/client.ts";
import { good, type Problem, type Result } from "../api/problem.ts";
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

export interface Offer {
  key: string;
  me: Me;
}

/** What became of a link's key while another is kept: it can be taken in its place, or why not. */
export const offer = signal<Result<Offer> | null>(null);

let key: string | null = null;
/** The key of a link, until it is known what becomes of it. */
let linked: string | null = null;
access.key = () => key;
access.refused = lockOut;

/** Takes the key from storage or from the address (`#key=…`), and sees whether it holds. */
export async function start(): Promise<void> {
  linked = /^#key=(seal_[\w-]+)$/.exec(location.hash)?.[1] ?? null;
  if (location.hash.startsWith("#key=")) history.replaceState(null, "", location.pathname);
  await tryAgain();
}

/** Tries the keys that are there, those that are kept before a link's, until one is not refused; or none. */
export async function tryAgain(): Promise<Result<Me>> {
  for (;;) {
    const candidate = present();
    const answer = await whoAmI(candidate);
    if (isRefusal(answer)) forget(candidate);
    const other = present();
    if (!isRefusal(answer) || other === null || other === candidate) return settled(candidate, answer, false);
  }
}

/** Goes on with the key of a link, in this tab. */
export function takeOffer(): void {
  if (!offer.value?.ok) return;
  store(offer.value.value.key, false);
  location.reload();
}

/** Keeps the key in this browser from now on. */
export function stay(): void {
  if (key !== null) store(key, true);
  isTabOnly.value = false;
}

/** Signs in; null is no key, which a local service is content with. */
export async function enter(candidate: string | null, isStaying: boolean): Promise<Result<Me>> {
  const answer = await whoAmI(candidate);
  if (isRefusal(answer)) forget(candidate);
  return settled(candidate, answer, isStaying);
}

/** The answer to a key, once it is known here what follows from it. */
function settled(candidate: string | null, answer: Result<Me>, isStaying: boolean): Result<Me> {
  if (!answer.ok) {
    const isAsked = candidate === null && isRefusal(answer);
    session.value = { is: "out", problem: isAsked ? null : answer.problem };
    if (!isRefusal(answer) && present() === candidate) {
      setTimeout(() => session.value.is === "out" && void tryAgain(), AGAIN_MS);
    }
    return answer;
  }
  key = candidate;
  if (candidate !== null && stored() !== candidate) store(candidate, isStaying);
  isTabOnly.value = candidate !== null && candidate === linked;
  session.value = { is: "in", key: candidate, me: answer.value };
  void seeLinked();
  return answer;
}

function isRefusal(answer: Result<Me>): boolean {
  return !answer.ok && answer.problem.status === 401;
}

/** Whose the key of a link is that is not the one in use. */
async function seeLinked(): Promise<void> {
  const other = linked;
  linked = null;
  if (other === null || other === key) return;
  const answer = await whoAmI(other);
  offer.value = answer.ok ? good({ key: other, me: answer.value }) : answer;
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
  forgetAll();
  await forgetDrafts();
  location.replace(location.pathname);
}

/** The key holds no longer. Drafts stay, for when there is another. */
function lockOut(problem: Problem): void {
  forget(key);
  key = null;
  isTabOnly.value = false;
  offer.value = null;
  forgetBlobs();
  session.value = { is: "out", problem };
}

/** The key to try first. */
function present(): string | null {
  return stored() ?? linked;
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

/** One that was refused; another that is kept stays. */
function forget(refused: string | null): void {
  if (linked === refused) linked = null;
  try {
    for (const storage of [sessionStorage, localStorage]) {
      if (storage.getItem(NAME) === refused) storage.removeItem(NAME);
    }
  } catch {
    return;
  }
}

function forgetAll(): void {
  try {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
  } catch {
    return;
  }
}
