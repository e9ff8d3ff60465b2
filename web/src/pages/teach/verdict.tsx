// How a training ended, in plain words, and what to do next.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { getSeal } from "../../api/seals.ts";
import type { Seal, Training } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import { ErrorNote, Icon, LinkButton, WaxSeal } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { readingsOf, reasonsOf, scorecardOf, VERDICTS } from "../prove/readings.ts";

const NUM_READINGS = 3;

export function Verdict({ training }: { training: Training }): JSX.Element | null {
  const text = words.value.teach.verdict;
  if (training.state === "done") return <Finished training={training} />;
  if (training.state === "cancelled") {
    return (
      <div class="note">
        <Icon name="stop" />
        <div class="note-text">
          <strong>{text.cancelled}</strong>
          <p>{text.cancelledText}</p>
        </div>
      </div>
    );
  }
  if (training.state !== "failed" || !training.error) return null;
  return (
    <>
      <ErrorNote problem={training.error} />
      <p class="fine">{text.failedAfter(training.attempts)}</p>
    </>
  );
}

function Finished({ training }: { training: Training }): JSX.Element {
  const text = words.value.teach.verdict;
  const [seal, setSeal] = useState<Seal | null>(null);
  useEffect(() => {
    if (!training.seal) return undefined;
    let isWanted = true;
    void getSeal(training.seal).then((answer) => isWanted && answer.ok && setSeal(answer.value));
    return () => {
      isWanted = false;
    };
  }, [training.seal]);
  const has = VERDICTS.find((verdict) => verdict === training.verdict) ?? "none";
  const card = scorecardOf(seal?.scorecard);
  const said = {
    pass: text.passText(training.name),
    fail: text.failText,
    unproven: text.unprovenText(training.name),
    none: text.noneText(training.name),
  }[has];
  return (
    <section class={`card teach-verdict teach-verdict-${has}`}>
      <WaxSeal size={84} />
      <div class="teach-verdict-text">
        <h2>{text[has]}</h2>
        <p>{said}</p>
        {card && (
          <ul class="teach-readings">
            {reasonsOf(card, words.value.prove).map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
            {readingsOf(card, words.value.prove)
              .slice(0, NUM_READINGS)
              .map((reading) => (
                <li key={reading.key}>{reading.sentence}</li>
              ))}
          </ul>
        )}
        <div class="actions">
          <LinkButton kind="primary" icon="make" href={hrefOf("make", [], { seal: seal?.name ?? training.name })}>
            {text.make}
          </LinkButton>
          {training.seal && (
            <LinkButton icon="prove" href={hrefOf("prove", [training.seal])}>
              {text.prove}
            </LinkButton>
          )}
          <LinkButton kind="quiet" icon="plus" href={hrefOf("teach")}>
            {text.another}
          </LinkButton>
        </div>
      </div>
    </section>
  );
}
