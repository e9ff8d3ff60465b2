// The word that is to call the seal, and what the server thinks of it.

import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { checkTrigger, suggestTriggers } from "../../api/trainings.ts";
import { isMissingRoute } from "../../api/problem.ts";
import { Button, complain, Icon, TextField } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

const PAUSE_MS = 450;
const NUM_SUGGESTED = 5;

interface Advice {
  word: string;
  isGood: boolean;
  text: string;
}

export function TriggerField(props: { trigger: Signal<string>; classNoun: Signal<string>; error?: string | undefined }): JSX.Element {
  const { trigger, classNoun } = props;
  const text = words.value.teach.trigger;
  const advice = useSignal<Advice | null>(null);
  useSignalEffect(() => {
    const word = trigger.value.trim();
    if (!word) {
      advice.value = null;
      return undefined;
    }
    const timer = setTimeout(() => void advise(word, trigger, advice), PAUSE_MS);
    return () => clearTimeout(timer);
  });
  const said = advice.value?.word === trigger.value.trim() ? advice.value : null;
  return (
    <div class="teach-trigger">
      <TextField
        label={text.label}
        hint={text.hint}
        error={props.error}
        value={trigger.value}
        onInput={(value) => (trigger.value = value)}
        maxLength={100}
        placeholder="zwx"
        isMono
      />
      <div aria-live="polite">
        {said && (
          <p class={said.isGood ? "teach-good" : "teach-doubt"}>
            <Icon name={said.isGood ? "check" : "warning"} size={18} />
            <span>{said.isGood ? text.good : said.text}</span>
          </p>
        )}
      </div>
      <Suggestions noun={classNoun} onChoose={(word) => (trigger.value = word)} />
    </div>
  );
}

/** Says nothing where the server cannot be asked. */
async function advise(word: string, trigger: Signal<string>, advice: Signal<Advice | null>): Promise<void> {
  const answer = await checkTrigger(word);
  if (trigger.peek().trim() !== word) return;
  advice.value = answer.ok ? { word, isGood: answer.value.is_good, text: answer.value.advice } : null;
}

function Suggestions({ noun, onChoose }: { noun: Signal<string>; onChoose: (word: string) => void }): JSX.Element | null {
  const text = words.value.teach.trigger;
  const found = useSignal<{ word: string; why: string }[] | null>(null);
  const isBusy = useSignal(false);
  const isUnknown = useSignal(false);
  const ask = async (): Promise<void> => {
    isBusy.value = true;
    const answer = await suggestTriggers(noun.value.trim(), NUM_SUGGESTED);
    isBusy.value = false;
    if (answer.ok) found.value = answer.value;
    else if (isMissingRoute(answer.problem)) isUnknown.value = true;
    else complain(answer.problem);
  };
  if (isUnknown.value) return <p class="fine">{text.noSuggestions}</p>;
  if (found.value === null) {
    return (
      <div>
        <Button kind="quiet" isSmall icon="dice" isBusy={isBusy.value} onClick={() => void ask()}>
          {isBusy.value ? text.asking : text.suggest}
        </Button>
      </div>
    );
  }
  return (
    <div class="teach-suggested" role="group" aria-label={text.suggested}>
      {found.value.map(({ word, why }) => (
        <button key={word} class="badge teach-word" type="button" title={why} onClick={() => onChoose(word)}>
          {word}
        </button>
      ))}
    </div>
  );
}
