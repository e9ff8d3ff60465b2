// The scorecard of a seal, and how to have it measured.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Seal } from "../../api/types.ts";
import { EmptyState } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { scorecardOf } from "./readings.ts";
import { ScorecardView } from "./scorecard.tsx";
import { SizeChoice } from "./size.tsx";
import { StudyForm } from "./study-form.tsx";

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
  const asked = { seal: seal.id, ...SIZES[size.value] };
  const title = hasOne ? text.again : text.title;
  return (
    <StudyForm kind="score" looks={looks} asked={asked} start={title} title={title}>
      <SizeChoice sizes={SIZES} value={size.value} onChange={(value) => (size.value = value)} />
      <p class="fine">
        {text.sizeHints[size.value]} {hasOne && seal.is_own !== false && text.replaced}
      </p>
    </StudyForm>
  );
}
