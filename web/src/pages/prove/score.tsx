// The scorecard of a seal, and how to have it measured.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { startStudy } from "../../api/studies.ts";
import type { Seal } from "../../api/types.ts";
import { may } from "../../state/session.ts";
import { Button, Card, complain, EmptyState, WarningNote } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { scorecardOf } from "./readings.ts";
import { ScorecardView } from "./scorecard.tsx";
import { SizeChoice } from "./size.tsx";

const SIZES = {
  quick: { num_prompts: 2, num_seeds: 1 },
  usual: { num_prompts: 8, num_seeds: 2 },
  thorough: { num_prompts: 16, num_seeds: 3 },
} as const;

/** `onMeasured`: the seal has other figures now. */
export function ScoreTab({ seal, onMeasured }: { seal: Seal; onMeasured: () => void }): JSX.Element {
  const text = words.value.prove;
  const looks = useLooks("score", seal.id, "score");
  const own = scorecardOf(seal.scorecard);
  const empty = own ? (
    <ScorecardView card={own} />
  ) : (
    <EmptyState title={text.verdict.none} text={text.verdict.noneText} />
  );
  return (
    <div class="prove-tab">
      {looks.problem.value && own && <ScorecardView card={own} />}
      <LooksView
        looks={looks}
        seal={seal.id}
        tab="score"
        empty={empty}
        meanwhile={() => own && <ScorecardView card={own} />}
        onDone={onMeasured}
      >
        {(study) => {
          const card = scorecardOf(study.result?.["scorecard"]);
          return card ? <ScorecardView card={card} /> : empty;
        }}
      </LooksView>
      <Measure seal={seal} looks={looks} hasOne={own !== null} />
    </div>
  );
}

function Measure({ seal, looks, hasOne }: { seal: Seal; looks: Looks; hasOne: boolean }): JSX.Element {
  const text = words.value.prove.measure;
  const size = useSignal<keyof typeof SIZES>("usual");
  const isBusy = useSignal(false);
  const start = async (): Promise<void> => {
    isBusy.value = true;
    const answer = await startStudy("score", { seal: seal.id, ...SIZES[size.value] });
    isBusy.value = false;
    if (answer.ok) looks.add(answer.value);
    else complain(answer.problem);
  };
  if (!may("train")) return <WarningNote>{words.value.prove.study.mayNot}</WarningNote>;
  return (
    <Card title={hasOne ? text.again : text.title}>
      <SizeChoice sizes={SIZES} value={size.value} onChange={(value) => (size.value = value)} />
      <p class="fine">
        {text.sizeHints[size.value]} {hasOne && seal.is_own !== false && text.replaced}
      </p>
      <div class="actions">
        <Button kind="primary" icon="prove" isBusy={isBusy.value} onClick={() => void start()}>
          {hasOne ? text.again : text.title}
        </Button>
      </div>
    </Card>
  );
}
