// Numbers, sizes and times as the person's language writes them.

import { language } from "./index.ts";

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

/** A share as percents: 0.874 is 87 %. */
export function formatPercent(share: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { style: "percent", maximumFractionDigits: digits }).format(share);
}

/** Bytes in the largest unit that leaves a number above 1: 3.2 MB. */
export function formatBytes(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  const step = bytes > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10)) : 0;
  const value = bytes / 1024 ** step;
  const options = { style: "unit", unit: units[step] ?? "byte", unitDisplay: "short" } as const;
  return new Intl.NumberFormat(language.value, {
    ...options,
    maximumFractionDigits: step && value < 100 ? 1 : 0,
  }).format(value);
}

/** A moment as day and time. */
export function formatMoment(moment: string | number): string {
  const date = new Date(typeof moment === "number" ? 1000 * moment : moment);
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** How long ago, in one unit: 3 minutes ago. */
export function formatAgo(moment: string | number, now = Date.now()): string {
  const seconds = (new Date(typeof moment === "number" ? 1000 * moment : moment).getTime() - now) / 1000;
  const relative = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
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
  return new Intl.NumberFormat(language.value, options).format(Math.max(0, seconds) / size);
}
