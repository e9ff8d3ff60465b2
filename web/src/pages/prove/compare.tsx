// Pairs of pictures of one prompt and one seed, without the seal and with it: what a measurement leaves.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Seal, Study } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import { isRecord } from "../../state/drafts.ts";
import { Compare, EmptyState, LinkButton } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { LooksView, useLooks } from "./looks.tsx";
import { pathOf } from "./files.ts";
import { Strip } from "./strip.tsx";

interface Pair {
  prompt: string;
  seed: string;
  before: string;
  after: string;
}

export function CompareTab({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.prove.compare;
  const looks = useLooks("score", seal.id, "compare");
  const empty = (
    <EmptyState title={text.none} text={text.noneText}>
      <LinkButton kind="primary" icon="prove" href={hrefOf("prove", [seal.id], { tab: "score" })}>
        {words.value.prove.measure.title}
      </LinkButton>
    </EmptyState>
  );
  return (
    <div class="prove-tab">
      <p class="lead">{text.hint}</p>
      <LooksView looks={looks} seal={seal.id} tab="compare" empty={empty}>
        {(study) => {
          const pairs = pairsOf(study);
          return pairs.length ? <Pairs pairs={pairs} /> : empty;
        }}
      </LooksView>
    </div>
  );
}

function pairsOf(study: Study): Pair[] {
  const told = study.result?.["pairs"];
  if (!Array.isArray(told)) return [];
  return told.filter(isRecord).flatMap((pair) => {
    const [before, after] = [pathOf(study, pair["before"]), pathOf(study, pair["after"])];
    return before && after ? [{ prompt: String(pair["prompt"] ?? ""), seed: String(pair["seed"] ?? ""), before, after }] : [];
  });
}

function Pairs({ pairs }: { pairs: Pair[] }): JSX.Element {
  const text = words.value.prove.compare;
  const chosen = useSignal(0);
  const index = Math.min(chosen.value, pairs.length - 1);
  const pair = pairs[index];
  if (!pair) return <p>{text.none}</p>;
  return (
    <figure class="prove-pair">
      <Compare
        key={pair.after}
        label={text.slider}
        before={{ path: pair.before, alt: text.alt(text.before, pair.prompt), label: text.before }}
        after={{ path: pair.after, alt: text.alt(text.after, pair.prompt), label: text.after }}
      />
      <figcaption>
        <q>{pair.prompt}</q> <span class="fine">{text.seed(pair.seed)}</span>
      </figcaption>
      <Strip
        label={text.choose}
        pictures={pairs.map(({ after }, number) => ({ path: after, name: text.pair(number + 1) }))}
        open={index}
        onOpen={(number) => (chosen.value = number)}
      />
    </figure>
  );
}
