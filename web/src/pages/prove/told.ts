// What a study's result tells, taken apart: it is somebody else's JSON, and what is not what it should be is null.

import { isRecord } from "../../state/drafts.ts";

export type Told = Record<string, unknown>;
export type Interval = [number, number];

export function part(value: Told, name: string): Told {
  const found = value[name];
  return isRecord(found) ? found : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function interval(value: unknown): Interval | null {
  const [low, high] = list(value).map(number);
  return low == null || high == null ? null : [low, high];
}
