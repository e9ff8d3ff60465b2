// The whole studio: the door, or the shell around the page that the address names.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { AdminPage } from "./pages/admin/index.tsx";
import { EnterPage } from "./pages/enter/index.tsx";
import { LibraryPage } from "./pages/library/index.tsx";
import { MakePage } from "./pages/make/index.tsx";
import { ProvePage } from "./pages/prove/index.tsx";
import { TeachPage } from "./pages/teach/index.tsx";
import type { Scope } from "./api/types.ts";
import { type Page, place } from "./router.ts";
import { Shell } from "./shell.tsx";
import { may, session } from "./state/session.ts";
import { NoScope } from "./ui/index.ts";
import { Toasts } from "./ui/notes.tsx";
import { WaxSeal } from "./ui/mark.tsx";
import { words } from "./words/index.ts";

const PAGES: Record<Page, { page: () => JSX.Element | null; scope: Scope }> = {
  teach: { page: TeachPage, scope: "train" },
  make: { page: MakePage, scope: "generate" },
  prove: { page: ProvePage, scope: "generate" },
  library: { page: LibraryPage, scope: "generate" },
  admin: { page: AdminPage, scope: "admin" },
};

export function App(): JSX.Element {
  return (
    <>
      <Inside />
      <Toasts />
    </>
  );
}

function Inside(): JSX.Element {
  const now = session.value;
  const name = place.value.page;
  const text = words.value.shell;
  useEffect(() => {
    document.title = now.is === "in" ? `${text.pages[name]} – ${text.name}` : text.name;
  }, [now.is, name, text]);
  if (now.is === "starting") {
    return (
      <main class="opening">
        <WaxSeal size={88} />
        <p role="status">{text.starting}</p>
      </main>
    );
  }
  if (now.is === "out") return <EnterPage problem={now.problem} />;
  const { page: Page, scope } = PAGES[name];
  return <Shell>{may(scope) ? <Page key={name} /> : <NoScope scope={scope} />}</Shell>;
}
