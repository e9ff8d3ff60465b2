// The project's mark, pressed into wax; and verdicts as stamps of the same wax.

import type { JSX } from "preact";

/** The S of examples/mark.svg, on a 64 px grid. */
const MARK =
  "M45 1h12v19H45v-3H25v7h18a11 11 0 0 1 11 11v5a11 11 0 0 1-9 10.800V53h8v10H15V53h8v-2C13 51 5 47 2 39h40v-5H24" +
  "a11 11 0 0 1-11-11v-4A11 11 0 0 1 24 8h21z";

/** A blob of wax: a circle whose edge ran a little. */
const WAX =
  "M50 3c9-1 14 4 21 7 8 3 15 6 18 14 2 6 0 10 3 16 4 7 6 13 3 20-2 6-7 8-9 14-3 8-8 15-16 17-7 2-12-1-19 2-8 3-15 4" +
  "-22 0-6-4-8-10-14-14C8 74 3 68 3 60c0-7 4-11 4-18 0-9 0-16 6-22 5-5 11-5 16-10C35 5 42 4 50 3z";

export function WaxSeal({ size = 40, label }: { size?: number; label?: string }): JSX.Element {
  const named = label ? { role: "img" as const, "aria-label": label } : { "aria-hidden": true as const };
  return (
    <svg class="wax-seal" width={size} height={size} viewBox="0 0 100 100" {...named}>
      <path class="wax-edge" d={WAX} />
      <circle class="wax-field" cx="50" cy="51" r="36" />
      <circle class="wax-ring" cx="50" cy="51" r="36" />
      <g transform="translate(29.500 29.500) scale(.66)">
        <path class="wax-shade" d={MARK} transform="translate(-1.600 -1.800)" />
        <path class="wax-mark" d={MARK} />
      </g>
    </svg>
  );
}

/** The bare mark, in the colour of the text. */
export function Mark({ size = 24 }: { size?: number }): JSX.Element {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 64 64" aria-hidden="true">
      <path d={MARK} />
    </svg>
  );
}

/** A picture for what has none: lines as of a coin's rim, drawn from a name, so that each has its own. */
export function Rosette({ name }: { name: string }): JSX.Element {
  const seed = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0, 7);
  const petals = 5 + (seed % 8);
  const reach = 18 + ((seed >>> 4) % 12);
  const points = Array.from({ length: 181 }, (_, index) => {
    const angle = (index / 180) * 2 * Math.PI;
    const radius = 26 + (reach / 2) * Math.cos(petals * angle + (seed % 7));
    return `${(50 + radius * Math.cos(angle)).toFixed(1)} ${(50 + radius * Math.sin(angle)).toFixed(1)}`;
  });
  return (
    <svg class="rosette" viewBox="0 0 100 100" aria-hidden="true">
      <circle cx="50" cy="50" r="45" />
      <circle cx="50" cy="50" r="42" />
      <path d={`M${points.join("L")}Z`} />
      <path d={`M${points.join("L")}Z`} transform={`rotate(${180 / petals} 50 50)`} />
      <circle cx="50" cy="50" r={4 + (seed % 5)} />
    </svg>
  );
}
