// Library: one's seals and those that were shared, to look through, bring in, and take out.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Problem } from "../../api/problem.ts";
import { searchSeals } from "../../api/seals.ts";
import type { Seal } from "../../api/types.ts";
import { hrefOf, place } from "../../router.ts";
import { may } from "../../state/session.ts";
import { Badge, Button, EmptyState, ErrorNote, LinkButton, PageHead, SealPicture, TextField, VerdictBadge, Waiting } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { Importing } from "./importing.tsx";
import "./library.css";
import { SealDialog } from "./seal-dialog.tsx";

const TYPING_MS = 250;

export function LibraryPage(): JSX.Element {
  const text = words.value.library;
  const search = useSignal("");
  const found = useSignal<Seal[] | null>(null);
  const next = useSignal<string | null>(null);
  const problem = useSignal<Problem | null>(null);
  const load = async (after?: string): Promise<void> => {
    const wanted = search.value;
    const answer = await searchSeals(searchOf(wanted, after));
    if (wanted !== search.value) return;
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    found.value = [...(after ? (found.value ?? []) : []), ...answer.value.seals];
    next.value = answer.value.next ?? null;
  };
  useEffect(() => {
    const timer = setTimeout(() => void load(), found.value === null ? 0 : TYPING_MS);
    return () => clearTimeout(timer);
  }, [search.value]);
  const [id] = place.value.rest;
  return (
    <>
      <PageHead title={text.title} lead={text.lead} />
      {may("train") && <Importing onImported={() => void load()} />}
      <div class="library-search">
        <TextField label={text.search} type="search" value={search.value} onInput={(value) => (search.value = value)} />
      </div>
      {problem.value && <ErrorNote problem={problem.value} onRetry={() => void load()} />}
      {found.value === null ? (
        !problem.value && <Waiting />
      ) : (
        <Cards seals={found.value} isSearch={search.value !== ""} />
      )}
      {next.value !== null && <Button onClick={() => void load(next.value ?? undefined)}>{words.value.shell.showMore}</Button>}
      {id && <SealDialog id={id} onChanged={() => void load()} />}
    </>
  );
}

/** What looks like a hash is looked for as one. */
function searchOf(wanted: string, after: string | undefined): { q?: string; hash?: string; after?: string } {
  const word = wanted.trim();
  const isHash = /^(?=.*\d)[0-9a-f]{8,64}$/i.test(word);
  return { ...(word && (isHash ? { hash: word.toLowerCase() } : { q: word })), ...(after && { after }) };
}

function Cards({ seals, isSearch }: { seals: Seal[]; isSearch: boolean }): JSX.Element {
  const text = words.value.library;
  if (!seals.length) {
    return isSearch ? (
      <EmptyState title={text.none} text={text.noneText} />
    ) : (
      <EmptyState title={text.empty} text={text.emptyText}>
        <LinkButton kind="primary" href={hrefOf("teach")}>
          {words.value.shell.pages.teach}
        </LinkButton>
      </EmptyState>
    );
  }
  return (
    <>
      <p class="fine" role="status">
        {text.num(seals.length)}
      </p>
      <ul class="seal-cards">
        {seals.map((seal) => (
          <li key={seal.id}>
            <SealCard seal={seal} />
          </li>
        ))}
      </ul>
    </>
  );
}

function SealCard({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.library;
  return (
    <a class="seal-card" href={hrefOf("library", [seal.id])} aria-label={text.open(seal.name)}>
      <SealPicture id={seal.id} name={seal.name} hasPicture={seal.has_thumbnail ?? false} isLarge />
      <span class="seal-card-text">
        <strong>{seal.name}</strong>
        <span class="fine">{[seal.trigger, seal.class_noun].filter(Boolean).join(" · ")}</span>
        <span class="seal-card-badges">
          <VerdictBadge verdict={seal.verdict} />
          {seal.is_own === false && <Badge tone="wax">{text.shared(seal.owner ?? "")}</Badge>}
        </span>
      </span>
    </a>
  );
}
