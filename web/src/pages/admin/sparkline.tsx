// A row of figures as a line, the newest on the right.

import type { JSX } from "preact";

const [WIDTH, HEIGHT] = [240, 48];

export function Sparkline({ values, label }: { values: number[]; label: string }): JSX.Element | null {
  if (values.length < 2) return null;
  const highest = Math.max(...values, 0.001);
  const step = WIDTH / (values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)} ${(HEIGHT - 2 - (value / highest) * (HEIGHT - 6)).toFixed(1)}`);
  const line = `M${points.join("L")}`;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path class="sparkline-area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
      <path class="sparkline-line" d={line} />
    </svg>
  );
}
