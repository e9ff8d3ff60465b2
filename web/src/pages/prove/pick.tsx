// Which seal to look at.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Problem } from "../../api/problem.ts";
import { listSeals, thumbnailOf } from "../../api/seals.ts";
import type { Seal } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import { may } from "../../state/session.ts";
import { AuthImage, EmptyState, ErrorNote, LinkButton, Rosette, TextField, VerdictBadge, Waiting } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

const MANY = 8;

export function Pick(): JSX.Element {
  const text = words.value.prove;
  const seals = useSignal<Seal[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const wanted = useSignal("");
  const look = async (): Promise<void> => {
    const answer = await listSeals();
    problem.value = answer.ok ? null : answer.problem;
    if (answer.ok) seals.value = answer.value;
  };
  useEffect(() => void look(), []);
  if (problem.value) return <ErrorNote problem={problem.value} onRetry={() => void look()} />;
  if (!seals.value) return <Waiting />;
  if (!seals.value.length) {
    return (
      <EmptyState title={text.pickEmpty} text={text.pickEmptyText}>
        <div class="actions">
          {may("train") && (
            <LinkButton kind="primary" icon="teach" href={hrefOf("teach")}>
              {text.teach}
            </LinkButton>
          )}
          <LinkButton icon="library" href={hrefOf("library")}>
            {text.library}
          </LinkButton>
        </div>
      </EmptyState>
    );
  }
  const found = seals.value.filter((seal) => `${seal.name} ${seal.trigger} ${seal.title}`.toLowerCase().includes(wanted.value.toLowerCase()));
  return (
    <section aria-label={text.pick}>
      {seals.value.length > MANY && (
        <div class="prove-search">
          <TextField label={text.pick} value={wanted.value} onInput={(value) => (wanted.value = value)} type="search" />
        </div>
      )}
      <ul class="prove-seals">
        {found.map((seal) => (
          <li key={seal.id}>
            <a class="prove-seal" href={hrefOf("prove", [seal.id])}>
              <Portrait seal={seal} />
              <span class="prove-seal-text">
                <strong>{seal.name}</strong>
                <span class="fine">{seal.trigger ? <code>{seal.trigger}</code> : text.noTrigger}</span>
                <VerdictBadge verdict={seal.verdict ?? null} />
              </span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What a seal looks like, or lines of its own where nobody knows. */
export function Portrait({ seal }: { seal: Seal }): JSX.Element {
  const standIn = <Rosette name={seal.id} />;
  return (
    <span class="prove-portrait">
      {seal.has_thumbnail === false ? standIn : <AuthImage path={thumbnailOf(seal.id)} alt="" fallback={standIn} />}
    </span>
  );
}
