// What an expert may say beside the preset. What is left empty is the preset's or the base's.

import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { Checkbox, Disclosure, NumberField, Select } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { type Further, METHODS, NOTHING_FURTHER, PRESET_SETTINGS, type Preset, settingsOf } from "./presets.ts";

export function FurtherSettings({ further, preset }: { further: Signal<Further>; preset: Preset }): JSX.Element {
  const text = words.value.teach.further;
  const now = further.value;
  const set = (changes: Partial<Further>): void => {
    further.value = { ...further.value, ...changes };
  };
  const usual = PRESET_SETTINGS[preset];
  const isChanged = JSON.stringify(now) !== JSON.stringify(NOTHING_FURTHER);
  return (
    <Disclosure summary={isChanged ? text.titleChanged : text.title} isOpen={isChanged}>
      <Select
        label={text.method}
        hint={text.methods[now.method]}
        value={now.method}
        options={METHODS.map((method) => ({ value: method, text: method }))}
        onChange={(method) => set({ method })}
      />
      <div class="teach-numbers">
        <NumberField
          label={text.steps}
          value={now.num_steps}
          min={1}
          placeholder={String(usual.num_steps)}
          onInput={(num_steps) => set({ num_steps })}
        />
        <NumberField label={text.rank} value={now.rank} min={1} placeholder={String(usual.rank)} onInput={(rank) => set({ rank })} />
        <NumberField
          label={text.learningRate}
          value={now.learning_rate}
          min={0}
          step="any"
          placeholder={text.byBase}
          onInput={(learning_rate) => set({ learning_rate })}
        />
        <NumberField label={text.batch} value={now.batch_size} min={1} placeholder="2" onInput={(batch_size) => set({ batch_size })} />
        <NumberField
          label={text.previews}
          value={now.preview_every}
          min={1}
          placeholder={String(settingsOf(preset, { ...now, preview_every: null }, "")["preview_every"])}
          onInput={(preview_every) => set({ preview_every })}
        />
        <NumberField label={text.seed} value={now.seed} min={0} placeholder="0" onInput={(seed) => set({ seed })} />
      </div>
      <Checkbox
        label={text.textEncoder}
        hint={text.textEncoderHint}
        isOn={now.train_text_encoder}
        onChange={(train_text_encoder) => set({ train_text_encoder })}
      />
      <Checkbox label={text.scored} hint={text.scoredHint} isOn={now.is_scored} onChange={(is_scored) => set({ is_scored })} />
    </Disclosure>
  );
}
