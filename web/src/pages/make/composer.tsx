// Where a wish is put together and sent.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Problem } from "../../api/problem.ts";
import { base } from "../../state/base.ts";
import { orders, place } from "../../state/orders.ts";
import { EMPTY } from "../../state/wish.ts";
import { Button, Card, Choice, Disclosure, DropZone, ErrorNote, Icon, NumberField, say, Select, TextArea } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { change, draft, recallFile } from "./draft.ts";
import { SealUses } from "./seal-uses.tsx";
import { ShapeFields } from "./shape.tsx";

const NUMBERS = ["1", "2", "4", "8", "16"] as const;

export function Composer(): JSX.Element {
  const text = words.value.make;
  const problem = useSignal<Problem | null>(null);
  const isBusy = useSignal(false);
  const now = draft.value;
  const submit = async (): Promise<void> => {
    if (isBusy.value || !now.prompt.trim()) return;
    isBusy.value = true;
    const answer = await place(now, base.value?.steps ?? 20);
    isBusy.value = false;
    problem.value = answer.ok ? null : answer.problem;
  };
  return (
    <form
      class="composer"
      aria-label={text.composer}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Card>
        <TextArea
          label={text.prompt}
          hint={text.promptHint}
          rows={4}
          value={now.prompt}
          placeholder={text.promptPlaceholder}
          maxLength={32_000}
          onInput={(prompt) => change({ prompt })}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            void submit();
          }}
        />
        <SealUses />
        <Numbers />
        <ShapeFields />
        <SeedField />
        <Disclosure summary={text.more}>
          <Details />
        </Disclosure>
        {problem.value && <ErrorNote problem={problem.value} onDismiss={() => (problem.value = null)} />}
        <div class="composer-send">
          <Button kind="primary" type="submit" isBusy={isBusy.value} isDisabled={!now.prompt.trim()}>
            {text.draw(now.n)}
          </Button>
          <Button
            kind="quiet"
            icon="close"
            label={text.clear}
            onClick={() => {
              draft.value = EMPTY;
              problem.value = null;
              say(text.cleared);
            }}
          />
        </div>
      </Card>
      <DropZone
        isSmall
        icon="picture"
        title={text.recall}
        hint={text.recallHint}
        accept="image/png,.png"
        onFiles={([file]) => file && void recallFile(file)}
      />
    </form>
  );
}

function Numbers(): JSX.Element {
  const text = words.value.make;
  const now = String(draft.value.n);
  const numbers = NUMBERS.some((number) => number === now) ? NUMBERS : [...NUMBERS, now].sort((a, b) => Number(a) - Number(b));
  return (
    <Choice
      label={text.number}
      value={now}
      options={numbers.map((value) => ({ value, text: value }))}
      onChange={(value) => change({ n: Number(value) })}
    />
  );
}

function SeedField(): JSX.Element {
  const text = words.value.make;
  const last = orders.value?.[0]?.pictures[0]?.seed;
  return (
    <div class="seed">
      <NumberField
        label={text.seed}
        value={draft.value.seed}
        min={0}
        max={Number.MAX_SAFE_INTEGER}
        placeholder={text.seedPlaceholder}
        onInput={(seed) => change({ seed })}
      />
      <Button
        icon="dice"
        label={text.seedChance}
        pressed={draft.value.seed === null}
        onClick={() => change({ seed: null })}
      />
      <Button
        icon="again"
        label={text.seedLast}
        isDisabled={last === undefined}
        onClick={() => last !== undefined && change({ seed: last })}
      />
      <p class="field-hint">{text.seedHint}</p>
    </div>
  );
}

function Details(): JSX.Element {
  const text = words.value.make;
  const now = draft.value;
  const known = base.value;
  const samplers = [
    { value: "", text: text.samplerOwn(known?.sampler ?? "…") },
    ...(known?.samplers ?? []).map((name) => ({ value: name, text: name })),
  ];
  const isOdd = now.sampler && !samplers.some((sampler) => sampler.value === now.sampler);
  return (
    <>
      <TextArea
        label={text.negative}
        hint={text.negativeHint}
        rows={2}
        value={now.negative}
        maxLength={32_000}
        onInput={(negative) => change({ negative })}
      />
      <div class="pair">
        <NumberField
          label={text.steps}
          value={now.steps}
          min={1}
          max={150}
          placeholder={String(known?.steps ?? "")}
          onInput={(steps) => change({ steps })}
        />
        <NumberField
          label={text.guidance}
          value={now.guidance}
          min={0}
          max={100}
          step="any"
          placeholder={String(known?.guidance ?? "")}
          onInput={(guidance) => change({ guidance })}
        />
      </div>
      <Select
        label={text.sampler}
        value={now.sampler}
        options={isOdd ? [...samplers, { value: now.sampler, text: now.sampler }] : samplers}
        onChange={(sampler) => change({ sampler })}
      />
      {known && (
        <p class="fine base-line">
          <Icon name="picture" size={16} /> {known.name}
        </p>
      )}
    </>
  );
}
