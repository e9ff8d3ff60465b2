// Counting in Russian and English.

const RUSSIAN = new Intl.PluralRules("ru");

/** The form that goes with a number: 1 печать, 2 печати, 5 печатей. */
export function ruPlural(n: number, one: string, few: string, many: string): string {
  const rule = RUSSIAN.select(n);
  return rule === "one" ? one : rule === "few" ? few : many;
}

export function enPlural(n: number, one: string, many: string): string {
  return n === 1 ? one : many;
}
