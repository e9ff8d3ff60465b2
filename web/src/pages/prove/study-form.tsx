// A form that has a study of a seal made: what its kind needs to know, and one button.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { type Asked, startStudy } from "../../api/studies.ts";
import type { StudyKind } from "../../api/types.ts";
import { may } from "../../state/session.ts";
import { Button, Card, complain, WarningNote } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import type { Looks } from "./looks.tsx";

interface Props<K extends StudyKind> {
  kind: K;
  looks: Looks;
  /** What is asked for; null: what stands in the fields is not enough yet. */
  asked: Asked[K] | null;
  /** On the button. */
  start: string;
  title?: string;
  isDisabled?: boolean;
  children: ComponentChildren;
}

export function StudyForm<K extends StudyKind>({ kind, looks, asked, start, title = "", isDisabled = false, children }: Props<K>): JSX.Element {
  const isBusy = useSignal(false);
  const begin = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!asked || isDisabled || isBusy.value) return;
    isBusy.value = true;
    const answer = await startStudy(kind, asked);
    isBusy.value = false;
    if (answer.ok) looks.add(answer.value);
    else complain(answer.problem);
  };
  if (!may("train")) return <MayNot />;
  return (
    <Card title={title}>
      <form class="prove-form" onSubmit={(event) => void begin(event)}>
        {children}
        <div class="actions">
          <Button kind="primary" type="submit" icon="prove" isBusy={isBusy.value} isDisabled={isDisabled}>
            {start}
          </Button>
        </div>
      </form>
    </Card>
  );
}

/** What stands in the form's place for whoever may not have studies made. */
export function MayNot(): JSX.Element {
  return <WarningNote>{words.value.prove.study.mayNot}</WarningNote>;
}
