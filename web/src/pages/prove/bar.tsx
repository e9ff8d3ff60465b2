// A figure on its line, with the stretch where the true one very likely is, or from nothing to it.

import type { JSX } from "preact";
import type { Interval } from "./told.ts";

export function Bar(props: { value: number; interval: Interval | null; ends: Interval; label: string }): JSX.Element {
  const { value, interval, ends, label } = props;
  const x = (place: number): number => 100 * Math.min(1, Math.max(0, (place - ends[0]) / (ends[1] - ends[0])));
  return (
    <svg class="prove-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="prove-line" x="0" y="4" width="100" height="2" />
      {interval && <rect class="prove-range" x={x(interval[0])} y="2" width={Math.max(0.8, x(interval[1]) - x(interval[0]))} height="6" />}
      <rect class="prove-value" x={Math.min(99, Math.max(0, x(value) - 0.5))} y="0" width="1" height="10" />
    </svg>
  );
}
