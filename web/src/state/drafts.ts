// What a person has typed and not sent, and how they like the studio: kept in this browser, and only there.

import { effect, signal, type Signal } from "@preact/signals";

const PREFIX = "sealsmith.";
const LOOKS = new Set([`${PREFIX}scheme`, `${PREFIX}language`]);
/** The database of files that were chosen and not sent. */
export const FILES = "sealsmith";

/** A value that survives a reload, and, when `isShared`, is the same in every tab. What is stored and does not pass
 *  `isValid` is forgotten. */
export function kept<T>(
  name: string,
  initial: T,
  isValid: (value: unknown) => value is T,
  isShared = false,
): Signal<T> {
  const value = signal(read(name, initial, isValid));
  if (isShared) {
    addEventListener("storage", (event) => {
      if (event.key === PREFIX + name) value.value = read(name, initial, isValid);
    });
  }
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (isFirst) isFirst = false;
    else write(name, text);
  });
  return value;
}

/** Forgets drafts, files, and what was asked for here; how one likes the studio stays. */
export async function forgetDrafts(): Promise<void> {
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(PREFIX) && !LOOKS.has(name)) localStorage.removeItem(name);
    }
    await new Promise((resolve) => {
      const deleting = indexedDB.deleteDatabase(FILES);
      deleting.onsuccess = deleting.onerror = deleting.onblocked = resolve;
    });
  } catch {
    return; // a browser that keeps nothing has nothing to forget
  }
}

export function read<T>(name: string, initial: T, isValid: (value: unknown) => value is T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    const value: unknown = text === null ? null : JSON.parse(text);
    return text !== null && isValid(value) ? value : initial;
  } catch {
    return initial;
  }
}

/** A full or forbidden storage loses a draft, nothing else. */
function write(name: string, text: string): void {
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    return;
  }
}

export const isString = (value: unknown): value is string => typeof value === "string";
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const isOneOf =
  <T extends string>(...allowed: T[]) =>
  (value: unknown): value is T =>
    allowed.some((each) => each === value);
