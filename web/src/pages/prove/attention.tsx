// Where in the picture each word acts, without the seal and with it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Seal, Study } from "../../api/types.ts";
import { isRecord } from "../../state/drafts.ts";
import { AuthImage, Compare, Slider, TextField } from "../../ui/index.ts";
import { formatPercent } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { pathOf } from "./files.ts";
import { StudyForm } from "./study-form.tsx";
import { number, part } from "./told.ts";

/** Changes of the spread below this are none to speak of. */
const LEAST_CHANGE = 0.005;

interface Seen {
  word: string;
  isTrigger: boolean;
  before: Side;
  after: Side;
}

interface Side {
  overlay: string | null;
  entropy: number | null;
  mass: number | null;
}

export function AttentionTab({ seal }: { seal: Seal }): JSX.Element {
  const looks = useLooks("attention", seal.id, "attention");
  return (
    <div class="prove-tab">
      <p class="lead">{words.value.prove.attention.hint}</p>
      <LooksView looks={looks} seal={seal.id} tab="attention" empty={null}>
        {(study) => <Maps study={study} />}
      </LooksView>
      <Ask seal={seal} looks={looks} />
    </div>
  );
}

function Ask({ seal, looks }: { seal: Seal; looks: Looks }): JSX.Element {
  const text = words.value.prove.attention;
  const prompt = useSignal(`a red ${seal.trigger} ${seal.class_noun || "emblem"} on wood`);
  const strength = useSignal(1);
  const written = prompt.value.trim();
  const asked = written ? { prompt: written, seals: [{ name: seal.id, strength: strength.value }] } : null;
  return (
    <StudyForm kind="attention" looks={looks} asked={asked} start={text.start}>
      <TextField label={text.prompt} hint={text.promptHint} value={prompt.value} onInput={(value) => (prompt.value = value)} maxLength={2000} />
      <Slider label={text.strength} value={strength.value} min={0} max={1.5} step={0.05} onInput={(value) => (strength.value = value)} />
    </StudyForm>
  );
}

function Maps({ study }: { study: Study }): JSX.Element {
  const text = words.value.prove.attention;
  const seen = seenIn(study);
  const first = seen.find((one) => one.isTrigger) ?? seen[0];
  const chosen = useSignal<string | null>(first?.word ?? null);
  const shown = seen.find((one) => one.word === chosen.value);
  const pictures = { before: pathOf(study, "picture-before.png"), after: pathOf(study, "picture-after.png") };
  return (
    <div class="prove-maps">
      {typeof study.result?.["prompt"] === "string" && (
        <p>
          <q>{study.result["prompt"]}</q>
        </p>
      )}
      <div class="prove-words" role="group" aria-label={text.words}>
        {seen.map((one) => (
          <button
            key={one.word}
            type="button"
            class="badge prove-word"
            aria-pressed={one.word === chosen.value}
            title={one.isTrigger ? text.trigger : undefined}
            onClick={() => (chosen.value = one.word)}
          >
            {one.word}
            {one.isTrigger && <span class="prove-dot" aria-hidden="true" />}
          </button>
        ))}
        {pictures.before && pictures.after && (
          <button type="button" class="badge prove-word" aria-pressed={shown === undefined} onClick={() => (chosen.value = null)}>
            {text.plain}
          </button>
        )}
      </div>
      {shown ? <WordMaps seen={shown} /> : <Plain pictures={pictures} />}
    </div>
  );
}

function WordMaps({ seen }: { seen: Seen }): JSX.Element {
  const text = words.value.prove.attention;
  return (
    <>
      <div class="prove-sides">
        {(["before", "after"] as const).map((side) => (
          <figure key={side}>
            {seen[side].overlay && <AuthImage path={seen[side].overlay} alt={text.alt(text[side], seen.word)} />}
            <figcaption>{text[side]}</figcaption>
          </figure>
        ))}
      </div>
      {sentencesOf(seen).map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </>
  );
}

function Plain({ pictures }: { pictures: { before: string | null; after: string | null } }): JSX.Element | null {
  const { attention: text, compare } = words.value.prove;
  if (!pictures.before || !pictures.after) return null;
  return (
    <div class="prove-pair">
      <Compare
        label={compare.slider}
        before={{ path: pictures.before, alt: text.picture(text.before), label: compare.before }}
        after={{ path: pictures.after, alt: text.picture(text.after), label: compare.after }}
      />
    </div>
  );
}

function sentencesOf({ word, before, after }: Seen): string[] {
  const text = words.value.prove.attention;
  const said: string[] = [];
  if (before.mass !== null && after.mass !== null) {
    said.push(text.mass(word, formatPercent(before.mass, 1), formatPercent(after.mass, 1)));
  }
  if (before.entropy && after.entropy !== null) {
    const change = after.entropy / before.entropy - 1;
    const percent = formatPercent(Math.abs(change), 1);
    if (Math.abs(change) < LEAST_CHANGE) said.push(text.focus.same(word));
    else said.push(change < 0 ? text.focus.sharper(word, percent) : text.focus.wider(word, percent));
  }
  return said;
}

function seenIn(study: Study): Seen[] {
  const told = study.result?.["words"];
  if (!Array.isArray(told)) return [];
  return told.filter(isRecord).map((one, index) => ({
    word: String(one["word"]),
    isTrigger: one["is_trigger"] === true,
    before: sideOf(study, one, "before", index),
    after: sideOf(study, one, "after", index),
  }));
}

function sideOf(study: Study, one: Record<string, unknown>, side: "before" | "after", index: number): Side {
  const found = part(one, side);
  return {
    overlay: pathOf(study, found["overlay"] ?? `overlay-${side}-${index}.png`),
    entropy: number(found["entropy"]),
    mass: number(found["mass_in_region"]),
  };
}
