// The page "prove".

import type { JSX } from "preact";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function ProvePage(): JSX.Element {
  const text = words.value.prove;
  return <PageHead title={text.title} lead={text.lead} />;
}
