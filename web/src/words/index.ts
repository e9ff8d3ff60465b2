// What the studio says, in every language it speaks. A sentence that one of them lacks is a type error: each file in
// here holds one area, English first, and Russian of the same type.

import { computed } from "@preact/signals";
import { isOneOf, kept } from "../state/drafts.ts";
import { admin } from "./admin.ts";
import { library } from "./library.ts";
import { make } from "./make.ts";
import { problems } from "./problems.ts";
import { prove } from "./prove.ts";
import { shell } from "./shell.ts";
import { teach } from "./teach.ts";

export const LANGUAGES = { en: "English", ru: "Русский" } as const;
export type Language = keyof typeof LANGUAGES;

const isLanguage = isOneOf<Language>("en", "ru");

/** The first of the browser's languages that we speak. */
function preferred(): Language {
  const spoken = navigator.languages.map((name) => name.slice(0, 2)).find(isLanguage);
  return spoken ?? "en";
}

export const language = kept<Language>("language", preferred(), isLanguage, true);

const WORDS = {
  en: said("en"),
  ru: said("ru"),
};

function said<L extends Language>(name: L) {
  return {
    shell: shell[name],
    problems: problems[name],
    teach: teach[name],
    make: make[name],
    prove: prove[name],
    library: library[name],
    admin: admin[name],
  };
}

export type Words = (typeof WORDS)["en"];

/** The words in the person's language. Read `.value` while rendering, and the page follows a change of it. */
export const words = computed<Words>(() => WORDS[language.value]);
