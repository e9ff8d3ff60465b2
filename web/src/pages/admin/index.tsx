// The page "admin".

import type { JSX } from "preact";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function AdminPage(): JSX.Element {
  const text = words.value.admin;
  return <PageHead title={text.title} lead={text.lead} />;
}
