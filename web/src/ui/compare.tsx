// Two pictures of one size, one over the other, with a line between them that is dragged or moved by the arrow keys: a
// range input lies over both and is what is really moved.

import "./compare.css";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { formatPercent } from "../words/format.ts";
import { AuthImage } from "./parts.tsx";

export interface Side {
  path: string;
  alt: string;
  /** What stands in the picture's corner. */
  label: string;
}

export function Compare(props: { before: Side; after: Side; label: string }): JSX.Element {
  const { before, after, label } = props;
  const at = useSignal(50);
  const percent = `${at.value}%`;
  return (
    <div class="compare">
      <AuthImage path={before.path} alt={before.alt} className="compare-picture" />
      <div class="compare-over" style={{ clipPath: `inset(0 0 0 ${percent})` }}>
        <AuthImage path={after.path} alt={after.alt} className="compare-picture" />
      </div>
      <span class="compare-label compare-label-before" aria-hidden="true">
        {before.label}
      </span>
      <span class="compare-label compare-label-after" aria-hidden="true">
        {after.label}
      </span>
      <span class="compare-line" style={{ left: percent }} aria-hidden="true" />
      <input
        class="compare-range"
        type="range"
        min={0}
        max={100}
        step={1}
        value={at.value}
        aria-label={label}
        aria-valuetext={formatPercent(1 - at.value / 100)}
        onInput={(event) => (at.value = Number(event.currentTarget.value))}
      />
    </div>
  );
}
