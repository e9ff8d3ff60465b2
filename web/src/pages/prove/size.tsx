// How thoroughly something is measured.

import type { JSX } from "preact";
import { Choice } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

type Size = "quick" | "usual" | "thorough";

export function SizeChoice<T extends Size>(props: { sizes: Record<T, unknown>; value: T; onChange: (value: T) => void }): JSX.Element {
  const text = words.value.prove.measure;
  return (
    <Choice
      label={text.size}
      value={props.value}
      options={(Object.keys(props.sizes) as T[]).map((value) => ({ value, text: text.sizes[value] }))}
      onChange={props.onChange}
    />
  );
}
