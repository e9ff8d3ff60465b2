// The page "teach".

import type { JSX } from "preact";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function TeachPage(): JSX.Element {
  const text = words.value.teach;
  return <PageHead title={text.title} lead={text.lead} />;
}
