// Numbers, sizes and times as the person's language writes them.

import { language } from "./index.ts";

/** The person's own kind of the language, as en-GB, where their browser says so. */
function locale(): string {
  return navigator.languages.find((name) => name.startsWith(language.value)) ?? language.value;
}

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

/** Several names as one: fox, owl and hare. */
export function formatList(names: readonly string[]): string {
  return new Intl.ListFormat(locale()).format(names);
}

/** A share as percents: 0.874 is 87 %. */
export function formatPercent(share: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: digits }).format(share);
}

const UNITS = {
  en: ["B", "KiB", "MiB", "GiB", "TiB"],
  ru: ["Б", "КиБ", "МиБ", "ГиБ", "ТиБ"],
} as const;

/** Bytes in the largest unit that leaves a number above 1: 3.2 MiB. */
export function formatBytes(bytes: number): string {
  const step = bytes > 0 ? Math.min(4, Math.floor(Math.log2(bytes) / 10)) : 0;
  const value = bytes / 1024 ** step;
  return `${formatNumber(value, step && value < 100 ? 1 : 0)}\u00a0${UNITS[language.value][step]}`;
}

/** A moment as day and time. */
export function formatMoment(moment: string | number): string {
  const date = new Date(typeof moment === "number" ? 1000 * moment : moment);
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** How long ago, in one unit: 3 minutes ago. */
export function formatAgo(moment: string | number, now = Date.now()): string {
  const seconds = (new Date(typeof moment === "number" ? 1000 * moment : moment).getTime() - now) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60]] as const;
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(seconds), "second");
}

/** A length of time: 4 min, 12 s. */
export function formatDuration(seconds: number): string {
  const unit = seconds >= 5400 ? "hour" : seconds >= 90 ? "minute" : "second";
  const size = { hour: 3600, minute: 60, second: 1 }[unit];
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: unit === "hour" ? 1 : 0 } as const;
  return new Intl.NumberFormat(locale(), options).format(Math.max(0, seconds) / size);
}
