// The seal with another one in the same pictures: whether they get on, and how they would.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Seal, Study } from "../../api/types.ts";
import { loadSeals, sealOf, seals, sealsProblem } from "../../state/seals.ts";
import { may } from "../../state/session.ts";
import { EmptyState, ErrorNote, Select, Waiting } from "../../ui/index.ts";
import { formatList } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { meetingOf } from "./meeting.ts";
import { MeetingView } from "./meeting-view.tsx";
import { SizeChoice } from "./size.tsx";
import { MayNot, StudyForm } from "./study-form.tsx";

const SIZES = {
  quick: { num_prompts: 3, num_seeds: 1, num_search: 2 },
  usual: { num_prompts: 8, num_seeds: 2, num_search: 6 },
} as const;

export function TogetherTab({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.prove.together;
  const looks = useLooks("conflicts", seal.id, "together");
  useEffect(() => void loadSeals(), []);
  const about = (study: Study): string => {
    const others = study.seals.filter((id) => id !== seal.id).map((id) => sealOf(id)?.name ?? text.gone);
    return text.with(formatList(others));
  };
  return (
    <div class="prove-tab">
      <p class="lead">{text.hint}</p>
      <LooksView
        looks={looks}
        seal={seal.id}
        tab="together"
        empty={null}
        meanwhile={(study) => <p class="fine">{about(study)}</p>}
        about={about}
      >
        {(study) => {
          const meeting = meetingOf(study);
          return meeting && <MeetingView meeting={meeting} />;
        }}
      </LooksView>
      <Ask seal={seal} looks={looks} />
    </div>
  );
}

function Ask({ seal, looks }: { seal: Seal; looks: Looks }): JSX.Element {
  const text = words.value.prove.together;
  const chosen = useSignal("");
  const size = useSignal<keyof typeof SIZES>("usual");
  if (!may("train")) return <MayNot />;
  if (!seals.value) return sealsProblem.value ? <ErrorNote problem={sealsProblem.value} onRetry={() => void loadSeals()} /> : <Waiting />;
  const others = seals.value.filter((one) => one.id !== seal.id && one.trigger && one.trigger !== seal.trigger);
  const other = others.find((one) => one.id === chosen.value) ?? others[0];
  if (!other || !seal.trigger) return <EmptyState title={text.none} text={text.noneText} />;
  const asked = { seals: [seal.id, other.id], ...SIZES[size.value] };
  return (
    <StudyForm kind="conflicts" looks={looks} asked={asked} start={text.start}>
      <Select
        label={text.other}
        value={other.id}
        options={others.map((one) => ({ value: one.id, text: `${one.name} (${one.trigger})` }))}
        onChange={(value) => (chosen.value = value)}
      />
      <SizeChoice sizes={SIZES} value={size.value} onChange={(value) => (size.value = value)} />
      <p class="fine">{text.sizeHints[size.value]}</p>
    </StudyForm>
  );
}
