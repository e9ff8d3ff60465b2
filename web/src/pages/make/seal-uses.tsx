// The seals in a wish: each with its trigger, its strength, and, for those who want it, where and when it acts.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { sealOf } from "../../state/seals.ts";
import { MIXES, mixOf, PRESETS, strengthOf, type WishedSeal } from "../../state/wish.ts";
import { Badge, Button, Disclosure, NumberField, Select, Slider, TextField } from "../../ui/index.ts";
import { SealPicture } from "../../ui/seal-picture.tsx";
import { words } from "../../words/index.ts";
import { change, changeSeal, draft, removeSeal } from "./draft.ts";
import { SealPicker } from "./seal-picker.tsx";

export function SealUses(): JSX.Element {
  const text = words.value.make;
  const isPicking = useSignal(false);
  const uses = draft.value.seals;
  return (
    <fieldset class="seal-uses">
      <legend class="field-label">{text.seals}</legend>
      {uses.map((seal, index) => (
        <SealUse key={seal.id || seal.name} seal={seal} index={index} />
      ))}
      {uses.length > 1 && <Mixing />}
      <Button icon="plus" isSmall onClick={() => (isPicking.value = true)}>
        {text.addSeal}
      </Button>
      {!uses.length && <p class="field-hint">{text.noSealHint}</p>}
      <SealPicker isOpen={isPicking.value} onClose={() => (isPicking.value = false)} />
    </fieldset>
  );
}

function Mixing(): JSX.Element {
  const text = words.value.make;
  const options = [{ value: "", text: text.mixOwn }, ...MIXES.map((value) => ({ value: value as string, text: text.mixes[value] }))];
  return <Select label={text.mix} value={draft.value.mix ?? ""} options={options} onChange={(value) => change({ mix: mixOf(value) })} />;
}

function SealUse({ seal, index }: { seal: WishedSeal; index: number }): JSX.Element {
  const text = words.value.make;
  const known = sealOf(seal.id || seal.name);
  const written = `${draft.value.prompt} ${draft.value.negative}`;
  const isCalled = written.toLowerCase().split(/[^\p{L}\p{N}_-]+/u).includes(seal.trigger.toLowerCase());
  return (
    <div class="seal-use">
      <div class="seal-use-head">
        <SealPicture id={seal.id} name={seal.name} hasPicture={known?.has_thumbnail ?? false} />
        <div class="seal-use-name">
          <strong>{seal.name}</strong>
          {seal.id ? (
            seal.trigger && <small>{isCalled ? text.triggerIn(seal.trigger) : text.triggerAdded(seal.trigger)}</small>
          ) : (
            <Badge tone="warning">{text.sealMissing}</Badge>
          )}
        </div>
        <Button kind="quiet" icon="close" isSmall label={text.removeSeal(seal.name)} onClick={() => removeSeal(index)} />
      </div>
      <Slider
        label={text.strengthOf(seal.name)}
        isLabelHidden
        value={seal.how.strength}
        min={0}
        max={1.5}
        step={0.05}
        onInput={(strength) => changeSeal(index, { strength, text: "" })}
      />
      <Disclosure summary={typeof strengthOf(seal.how) === "number" ? text.advanced : text.advancedSet}>
        <Where seal={seal} index={index} />
      </Disclosure>
    </div>
  );
}

const OWN = "own";

function Where({ seal, index }: { seal: WishedSeal; index: number }): JSX.Element {
  const text = words.value.make;
  const { blocks, start, stop } = seal.how;
  const isChosen = useSignal(false);
  const isOwn = isChosen.value || (blocks !== "" && !PRESETS.some((preset) => preset === blocks));
  const options = [
    { value: "", text: text.blocksAll },
    ...PRESETS.map((value) => ({ value: value as string, text: text.presets[value] })),
    { value: OWN, text: text.blocksOwn },
  ];
  const percent = (value: number): number => Math.round(100 * value);
  const part = (value: number | null, empty: number): number => Math.min(100, Math.max(0, value ?? empty)) / 100;
  return (
    <>
      <Select
        label={text.blocks}
        value={isOwn ? OWN : blocks}
        options={options}
        onChange={(value) => {
          isChosen.value = value === OWN;
          if (value !== OWN) changeSeal(index, { blocks: value, text: "" });
        }}
      />
      {isOwn && (
        <TextField
          label={text.blockWeights}
          hint={text.blockWeightsHint}
          value={blocks}
          maxLength={1000}
          isMono
          placeholder="1,0,0.5,…"
          onInput={(value) => changeSeal(index, { blocks: value, text: "" })}
        />
      )}
      <div class="pair">
        <NumberField
          label={text.from}
          value={percent(start)}
          min={0}
          max={100}
          onInput={(value) => changeSeal(index, { start: part(value, 0), text: "" })}
        />
        <NumberField
          label={text.to}
          value={percent(stop)}
          min={0}
          max={100}
          onInput={(value) => changeSeal(index, { stop: part(value, 100), text: "" })}
        />
      </div>
      <TextField
        label={text.asText}
        hint={text.asTextHint}
        value={seal.how.text}
        maxLength={2000}
        isMono
        onInput={(value) => changeSeal(index, { text: value })}
      />
    </>
  );
}
