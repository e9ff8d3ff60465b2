// Handing in: what to learn from, what calls it, how thoroughly.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { isMissingRoute, type Problem } from "../../api/problem.ts";
import { startTraining } from "../../api/trainings.ts";
import { go } from "../../router.ts";
import { refreshMe } from "../../state/session.ts";
import { Button, Card, ErrorNote, TextField } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { FurtherSettings } from "./further.tsx";
import { asOne, type Checked, Pictures } from "./pictures.tsx";
import { draft, NOTHING_FURTHER, type Preset, PRESETS, settingsOf } from "./presets.ts";
import { TriggerField } from "./trigger.tsx";

export function TeachForm(): JSX.Element {
  const text = words.value.teach;
  const problem = useSignal<Problem | null>(null);
  const isTried = useSignal(false);
  const checked = useSignal<Checked>({ facts: null, problem: null, isBusy: false });
  const hasFiles = draft.files.value.length > 0;
  const hasTrigger = draft.trigger.value.trim() !== "";
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    isTried.value = true;
    if (!hasFiles || !hasTrigger || draft.isSending.value) return;
    draft.isSending.value = true;
    problem.value = await handIn();
    draft.isSending.value = false;
  };
  return (
    <form class="teach-form" onSubmit={(event) => void submit(event)} noValidate>
      <Card title={text.steps.pictures}>
        <Pictures files={draft.files} checked={checked} />
        {isTried.value && !hasFiles && (
          <p class="field-error" role="alert">
            {text.noPictures}
          </p>
        )}
      </Card>
      <Card title={text.steps.word}>
        <TriggerField
          trigger={draft.trigger}
          classNoun={draft.classNoun}
          error={isTried.value && !hasTrigger ? text.trigger.missing : undefined}
        />
        <div class="teach-pair">
          <TextField
            label={text.noun.label}
            hint={text.noun.hint}
            value={draft.classNoun.value}
            onInput={(value) => (draft.classNoun.value = value)}
            placeholder={checked.value.facts?.class_noun ?? "emblem"}
            maxLength={100}
          />
          <TextField
            label={text.sealName.label}
            hint={text.sealName.hint}
            value={draft.name.value}
            onInput={(value) => (draft.name.value = value)}
            placeholder={draft.trigger.value.trim() || "zwx"}
            maxLength={100}
          />
        </div>
      </Card>
      <Card title={text.steps.effort}>
        <PresetChoice value={draft.preset.value} onChange={(preset) => (draft.preset.value = preset)} />
        <FurtherSettings further={draft.further} preset={draft.preset.value} />
      </Card>
      {problem.value &&
        (isMissingRoute(problem.value) || problem.value.code === "missing" ? (
          <ErrorNote problem={{ ...problem.value, code: "" }} />
        ) : (
          <ErrorNote problem={problem.value} />
        ))}
      <div class="actions">
        <Button kind="primary" type="submit" icon="teach" isBusy={draft.isSending.value}>
          {draft.isSending.value ? text.sending : text.submit}
        </Button>
        <span class="fine">{text.afterwards}</span>
      </div>
    </form>
  );
}

/** Hands the draft in and opens its training; what went wrong, if it did. */
async function handIn(): Promise<Problem | null> {
  const { files, trigger, name, classNoun, preset, further } = draft;
  const answer = await startTraining({
    files: [await asOne(files.value)],
    trigger: trigger.value.trim(),
    ...(name.value.trim() ? { name: name.value.trim() } : {}),
    is_scored: further.value.is_scored,
    settings: settingsOf(preset.value, further.value, classNoun.value),
  });
  if (!answer.ok) return answer.problem;
  files.value = [];
  [trigger.value, name.value, classNoun.value, further.value] = ["", "", "", NOTHING_FURTHER];
  void refreshMe();
  go("teach", [answer.value.id]);
  return null;
}

function PresetChoice({ value, onChange }: { value: Preset; onChange: (preset: Preset) => void }): JSX.Element {
  const text = words.value.teach.presets;
  return (
    <fieldset class="teach-presets">
      <legend class="hidden">{text.label}</legend>
      {PRESETS.map((preset) => (
        <label key={preset} class="teach-preset">
          <input type="radio" name="preset" checked={preset === value} onChange={() => onChange(preset)} />
          <span>
            <strong>{text[preset].title}</strong>
            <small>{text[preset].hint}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
