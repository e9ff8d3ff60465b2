// The page "make".

import type { JSX } from "preact";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function MakePage(): JSX.Element {
  const text = words.value.make;
  return <PageHead title={text.title} lead={text.lead} />;
}
