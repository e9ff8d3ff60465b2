// The door: a key opens it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Problem } from "../../api/problem.ts";
import { LookSettings } from "../../shell.tsx";
import { enter, tryAgain } from "../../state/session.ts";
import { Button, Checkbox, ErrorNote, TextField, WaxSeal } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

const KEY = /^seal_[0-9a-f]+_[\w-]+$/;

export function EnterPage({ problem }: { problem: Problem | null }): JSX.Element {
  const text = words.value.shell;
  const key = useSignal("");
  const isStaying = useSignal(false);
  const isBusy = useSignal(false);
  const isOdd = useSignal(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const candidate = key.value.trim();
    isOdd.value = !KEY.test(candidate);
    if (isOdd.value || isBusy.value) return;
    isBusy.value = true;
    await enter(candidate, isStaying.value);
    isBusy.value = false;
  };
  const isElsewhere = problem !== null && problem.status !== 401;
  return (
    <main class="enter">
      <div class="enter-card">
        <WaxSeal size={104} />
        <h1>{text.enter.title}</h1>
        <p class="lead">{text.enter.lead}</p>
        {problem && <ErrorNote problem={problem} onRetry={isElsewhere ? () => void tryAgain() : undefined} />}
        <form onSubmit={(event) => void submit(event)} noValidate>
          <TextField
            label={text.enter.key}
            hint={text.enter.keyHint}
            error={isOdd.value ? text.enter.badKey : undefined}
            value={key.value}
            onInput={(value) => {
              key.value = value;
              isOdd.value = false;
            }}
            type="password"
            placeholder="seal_…"
            autocomplete="current-password"
            isMono
          />
          <Checkbox label={text.enter.stay} isOn={isStaying.value} onChange={(isOn) => (isStaying.value = isOn)} />
          <Button kind="primary" type="submit" isBusy={isBusy.value}>
            {text.enter.submit}
          </Button>
        </form>
        <p class="fine">
          {text.enter.lost} <code>sealsmith keys create --tenant owner --scope generate --scope train</code>
        </p>
      </div>
      <LookSettings />
    </main>
  );
}
