// The seal with another one in the same pictures: whether they get on, and how they would.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { startStudy } from "../../api/studies.ts";
import type { Seal, Study } from "../../api/types.ts";
import { loadSeals, sealOf, seals, sealsProblem } from "../../state/seals.ts";
import { may } from "../../state/session.ts";
import { Button, Card, complain, EmptyState, ErrorNote, Select, Waiting, WarningNote } from "../../ui/index.ts";
import { formatList } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { meetingOf } from "./meeting.ts";
import { MeetingView } from "./meeting-view.tsx";
import { SizeChoice } from "./size.tsx";

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
  const isBusy = useSignal(false);
  if (!may("train")) return <WarningNote>{words.value.prove.study.mayNot}</WarningNote>;
  if (!seals.value) return sealsProblem.value ? <ErrorNote problem={sealsProblem.value} onRetry={() => void loadSeals()} /> : <Waiting />;
  const others = seals.value.filter((one) => one.id !== seal.id && one.trigger && one.trigger !== seal.trigger);
  const other = others.find((one) => one.id === chosen.value) ?? others[0];
  if (!other || !seal.trigger) return <EmptyState title={text.none} text={text.noneText} />;
  const start = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (isBusy.value) return;
    isBusy.value = true;
    const answer = await startStudy("conflicts", { seals: [seal.id, other.id], ...SIZES[size.value] });
    isBusy.value = false;
    if (answer.ok) looks.add(answer.value);
    else complain(answer.problem);
  };
  return (
    <Card>
      <form class="prove-form" onSubmit={(event) => void start(event)}>
        <Select
          label={text.other}
          value={other.id}
          options={others.map((one) => ({ value: one.id, text: `${one.name} (${one.trigger})` }))}
          onChange={(value) => (chosen.value = value)}
        />
        <SizeChoice sizes={SIZES} value={size.value} onChange={(value) => (size.value = value)} />
        <p class="fine">{text.sizeHints[size.value]}</p>
        <div class="actions">
          <Button kind="primary" type="submit" icon="prove" isBusy={isBusy.value}>
            {text.start}
          </Button>
        </div>
      </form>
    </Card>
  );
}
