// One seal, and the ways to look at it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Problem } from "../../api/problem.ts";
import { getSeal } from "../../api/seals.ts";
import type { Seal } from "../../api/types.ts";
import { go, hrefOf, place } from "../../router.ts";
import { ErrorNote, LinkButton, Tabs, VerdictBadge, Waiting } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { AttentionTab } from "./attention.tsx";
import { CompareTab } from "./compare.tsx";
import { Portrait } from "./pick.tsx";
import { ScoreTab } from "./score.tsx";
import { SweepTab } from "./sweep.tsx";
import { PROVE_TABS } from "./tabs.ts";
import { TogetherTab } from "./together.tsx";

export function SealProof({ id }: { id: string }): JSX.Element {
  const text = words.value.prove;
  const seal = useSignal<Seal | null>(null);
  const problem = useSignal<Problem | null>(null);
  const look = async (): Promise<void> => {
    const answer = await getSeal(id);
    problem.value = answer.ok ? null : answer.problem;
    if (answer.ok) seal.value = answer.value;
  };
  useEffect(() => void look(), [id]);
  const tab = PROVE_TABS.find((name) => name === place.value.query.get("tab")) ?? "score";
  return (
    <>
      <p class="prove-back">
        <LinkButton kind="quiet" isSmall icon="left" href={hrefOf("prove")}>
          {text.back}
        </LinkButton>
      </p>
      {problem.value && <ErrorNote problem={problem.value} onRetry={() => void look()} />}
      {!seal.value && !problem.value && <Waiting />}
      {seal.value && (
        <>
          <SealHead seal={seal.value} />
          <Tabs
            label={text.tabsLabel}
            tabs={PROVE_TABS.map((value) => ({ value, text: text.tabs[value] }))}
            value={tab}
            onChange={(value) => go("prove", [id], { tab: value })}
          >
            {tab === "score" && <ScoreTab seal={seal.value} onMeasured={() => void look()} />}
            {tab === "compare" && <CompareTab seal={seal.value} />}
            {tab === "attention" && <AttentionTab seal={seal.value} />}
            {tab === "sweep" && <SweepTab seal={seal.value} />}
            {tab === "together" && <TogetherTab seal={seal.value} />}
          </Tabs>
        </>
      )}
    </>
  );
}

function SealHead({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.prove;
  return (
    <header class="page-head">
      <div class="prove-head">
        <Portrait seal={seal} />
        <div>
          <h1>{seal.name}</h1>
          <p class="prove-facts">
            <VerdictBadge verdict={seal.verdict ?? null} />
            <span class="fine">
              {seal.trigger ? (
                <>
                  {text.calledBy} <code>{seal.trigger}</code>
                </>
              ) : (
                text.noTrigger
              )}
              {seal.is_own === false && seal.owner ? `, ${text.by(seal.owner)}` : ""}
            </span>
          </p>
        </div>
      </div>
      <div class="page-actions">
        <LinkButton kind="primary" icon="make" href={hrefOf("make", [], { seal: seal.name })}>
          {words.value.teach.verdict.make}
        </LinkButton>
      </div>
    </header>
  );
}
