// The page "library".

import type { JSX } from "preact";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function LibraryPage(): JSX.Element {
  const text = words.value.library;
  return <PageHead title={text.title} lead={text.lead} />;
}
