// The figures of a scorecard: for each a question, a sentence, and a bar that shows how sure it is.

import type { JSX } from "preact";
import { Icon } from "../../ui/index.ts";
import { formatNumber, formatPercent } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { Bar } from "./bar.tsx";
import { missingIn, type Reading, readingsOf, reasonsOf, type Scorecard, verdictOf } from "./readings.ts";

/** From this many pictures on, figures are no longer only a first look. */
const MANY_PICTURES = 8;

export function ScorecardView({ card }: { card: Scorecard }): JSX.Element {
  const text = words.value.prove;
  const verdict = verdictOf(card);
  const { numPrompts, numSeeds } = card;
  const isWeak = numPrompts !== null && numSeeds !== null && numPrompts * numSeeds < MANY_PICTURES;
  const missing = missingIn(card).map((key) => text.readings[key].question);
  return (
    <div class="prove-card">
      <div class={`prove-verdict prove-verdict-${verdict}`}>
        <Icon name={verdict === "pass" ? "check" : "warning"} size={26} />
        <div>
          <h2>{text.verdict[verdict]}</h2>
          {reasonsOf(card, text).map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
          {numPrompts !== null && numSeeds !== null && <p class="fine">{text.verdict.basis(numPrompts, numSeeds)}</p>}
          {isWeak && <p class="fine">{text.verdict.weak}</p>}
        </div>
      </div>
      <ul class="prove-readings">
        {readingsOf(card, text).map((reading) => (
          <li key={reading.key}>
            <Figure reading={reading} />
          </li>
        ))}
      </ul>
      {missing.length > 0 && <p class="fine">{text.notMeasured(missing.join(" "))}</p>}
    </div>
  );
}

function Figure({ reading }: { reading: Reading }): JSX.Element {
  const text = words.value.prove;
  const { question, sentence, standing, value, interval, ends } = reading;
  const label = interval ? text.bar(shown(reading, value), shown(reading, interval[0]), shown(reading, interval[1])) : shown(reading, value);
  return (
    <div class={`prove-reading prove-${standing}`}>
      <h3>
        {question}
        <span class="prove-standing">{text.standings[standing]}</span>
      </h3>
      <p>{sentence}</p>
      <Bar value={value} interval={interval} ends={ends} label={label} />
      {interval && <p class="fine">{text.interval(shown(reading, interval[0]), shown(reading, interval[1]))}</p>}
    </div>
  );
}

function shown(reading: Reading, value: number): string {
  const isShare = ["fidelity", "adherence", "leak", "drift"].includes(reading.key);
  return isShare ? formatPercent(value) : formatNumber(value, reading.key === "bleeding" ? 3 : 2);
}
