// How the studio looks and speaks: scheme and language, as the person or their system wants.

import { effect } from "@preact/signals";
import { language } from "../words/index.ts";
import { isOneOf, kept } from "./drafts.ts";

export type Scheme = "system" | "light" | "dark";

export const scheme = kept<Scheme>("scheme", "system", isOneOf("system", "light", "dark"), true);

effect(() => {
  const root = document.documentElement;
  if (scheme.value === "system") delete root.dataset["scheme"];
  else root.dataset["scheme"] = scheme.value;
});

effect(() => {
  document.documentElement.lang = language.value;
});
