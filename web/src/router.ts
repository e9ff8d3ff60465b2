// Where we are, as the address says it: `#/make/img-…/0?x=y`. Everything worth coming back to stands in it.

import { computed, signal } from "@preact/signals";

export const PAGES = ["teach", "make", "prove", "library", "admin"] as const;
export type Page = (typeof PAGES)[number];

export interface Place {
  page: Page;
  /** What follows the page, decoded. */
  rest: string[];
  query: URLSearchParams;
}

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

export const place = computed<Place>(() => parsePlace(hash.value));

/** What a hash means; what is no page of ours is Make. */
export function parsePlace(text: string): Place {
  const [path = "", query = ""] = text.replace(/^#\/?/, "").split("?", 2);
  const [first = "", ...rest] = path.split("/").filter(Boolean).map(decoded);
  const page = PAGES.find((name) => name === first) ?? "make";
  return { page, rest, query: new URLSearchParams(query) };
}

/** What stands behind the question mark: by name, or in pairs where a name comes more than once. */
type Query = Record<string, string> | [string, string][];

export function hrefOf(page: Page, rest: string[] = [], query: Query = {}): string {
  const path = [page, ...rest.map(encodeURIComponent)].join("/");
  const text = new URLSearchParams(query).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** Goes there; `isReplaced`: without a step back. */
export function go(page: Page, rest: string[] = [], query: Query = {}, isReplaced = false): void {
  const href = hrefOf(page, rest, query);
  if (isReplaced) history.replaceState(null, "", href);
  else if (href !== location.hash) history.pushState(null, "", href);
  hash.value = location.hash;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
