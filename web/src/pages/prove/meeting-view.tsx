// What came of seals in one picture: the advice, how often each is found, the pictures, and where their weights meet.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { hrefOf } from "../../router.ts";
import { mixOf } from "../../state/wish.ts";
import { AuthImage, CopyButton, Disclosure, Icon, LinkButton } from "../../ui/index.ts";
import { formatList, formatNumber, formatPercent } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { Bar } from "./bar.tsx";
import { type Advised, aloneIn, type Crossing, type Meeting, type Scene, type Share, type View, type Way } from "./meeting.ts";
import { Strip } from "./strip.tsx";

/** Blocks that are shown; the rest is little. */
const NUM_BLOCKS = 8;
/** Of what is below this there is none to speak of. */
const LITTLE = 0.005;
/** Cosines below this are no direction. */
const LEAST_COSINE = 0.02;

export function MeetingView({ meeting }: { meeting: Meeting }): JSX.Element {
  return (
    <div class="prove-meeting">
      <Advice meeting={meeting} />
      <Finds meeting={meeting} />
      <Scenes meeting={meeting} />
      {meeting.crossings.map((crossing) => (
        <CrossingView key={crossing.seals.join()} crossing={crossing} />
      ))}
    </div>
  );
}

function Advice({ meeting }: { meeting: Meeting }): JSX.Element {
  const text = words.value.prove.together;
  const { advised, before, after } = meeting;
  const names = formatList(meeting.seals);
  if (!advised) return <p>{meeting.advice}</p>;
  const way = (advised.isBetter && after) || before;
  const tags = way.tags.join(" ");
  return (
    <section class="note prove-recommended">
      <Icon name="check" />
      <div class="note-text">
        <h2>{advised.isBetter ? text.better(names) : text.keep(names)}</h2>
        {reasonsOf(meeting, advised).map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
        <dl class="prove-advice">
          <div>
            <dt>{text.tags}</dt>
            <dd>
              <code>{tags}</code>
            </dd>
          </div>
          <div>
            <dt>{words.value.make.mix}</dt>
            <dd>
              {mixName(way.mix)} <code>{way.mix}</code>
            </dd>
          </div>
          {way.guidance !== null && (
            <div>
              <dt>{words.value.make.guidance}</dt>
              <dd>{formatNumber(way.guidance, 2)}</dd>
            </div>
          )}
        </dl>
        <div class="actions">
          <LinkButton kind="primary" icon="make" href={hrefIntoMake(advised, way)}>
            {text.use}
          </LinkButton>
          <CopyButton text={tags} label={text.copy} done={text.copied} />
        </div>
      </div>
    </section>
  );
}

function mixName(mix: string): string {
  const known = mixOf(mix);
  return known ? words.value.make.mixes[known] : "";
}

function hrefIntoMake({ seals }: Advised, { mix, guidance }: Way): string {
  return hrefOf("make", [], [
    ...seals.flatMap(({ name, strength }): [string, string][] => [["seal", name], ["strength", String(strength)]]),
    ["mix", mix],
    ...(guidance === null ? [] : [["guidance", String(guidance)] as [string, string]]),
  ]);
}

function reasonsOf({ seals, alone, before, after, numTried }: Meeting, { isBetter, isSure }: Advised): string[] {
  const text = words.value.prove.together.reasons;
  const said: string[] = [];
  if (after) {
    const change = [formatPercent(before.both.value), formatPercent(after.both.value)] as const;
    said.push(isBetter ? text.better(...change) : text.unproven(numTried, ...change));
    if (before.both.likeness !== null && after.both.likeness !== null) {
      said.push(text.likeness(formatNumber(before.both.likeness, 2), formatNumber(after.both.likeness, 2)));
    }
    if (isBetter && !isSure) said.push(text.perhaps);
  } else {
    said.push(text.found(formatPercent(before.both.value)), numTried ? text.nothingBetter(numTried) : text.unsearched);
  }
  const lost = seals.filter((_, index) => alone[index]?.value === 0);
  if (lost.length) said.push(text.lost(formatList(lost)));
  return said;
}

function Finds({ meeting }: { meeting: Meeting }): JSX.Element {
  const text = words.value.prove.together;
  const { seals, alone, before, after } = meeting;
  const third = afterName(meeting);
  return (
    <section class="prove-part">
      <h2>{text.finds}</h2>
      <p class="fine">{text.findsHint}</p>
      <ul class="prove-readings">
        {seals.map((name, index) => (
          <li key={name}>
            <Found
              name={name}
              sentence={hindered(alone[index], before.found[index])}
              shares={{ [text.alone]: alone[index], [text.together]: before.found[index], [third]: after?.found[index] }}
            />
          </li>
        ))}
        <li>
          <Found name={text.both} sentence={text.bothHint} shares={{ [text.together]: before.both, [third]: after?.both }} />
        </li>
      </ul>
    </section>
  );
}

/** How much the others are in a seal's way, in words. */
function hindered(alone: Share | undefined, together: Share | undefined): string {
  const text = words.value.prove.together;
  if (!alone || !together) return "";
  const lost = alone.value - together.value;
  return lost < LITTLE ? text.unhindered : text.hindered(formatPercent(alone.value), formatPercent(together.value));
}

function Found(props: { name: string; sentence: string; shares: Record<string, Share | undefined> }): JSX.Element {
  return (
    <div class="prove-reading">
      <h3>{props.name}</h3>
      <p>{props.sentence}</p>
      <dl class="prove-shares">
        {Object.entries(props.shares).map(([name, share]) => share && <ShareRow key={name} name={name} share={share} />)}
      </dl>
    </div>
  );
}

function ShareRow({ name, share }: { name: string; share: Share }): JSX.Element {
  const text = words.value.prove;
  const { value, interval, likeness } = share;
  const shown = formatPercent(value);
  const label = interval ? text.bar(shown, formatPercent(interval[0]), formatPercent(interval[1])) : shown;
  return (
    <div>
      <dt>
        {name} {likeness !== null && <span class="fine">{text.together.likeness(formatNumber(likeness, 2))}</span>}
      </dt>
      <dd>
        <Bar value={value} interval={interval} ends={[0, 1]} label={label} />
        <span class="prove-number">{shown}</span>
      </dd>
    </div>
  );
}

function afterName({ advised }: Meeting): string {
  const text = words.value.prove.together;
  return advised?.isBetter ? text.advised : text.tried;
}

function Scenes({ meeting }: { meeting: Meeting }): JSX.Element | null {
  const text = words.value.prove.together;
  const chosen = useSignal(0);
  const { scenes } = meeting;
  const scene = scenes[chosen.value];
  if (!scene) return null;
  const pictures = scenes.flatMap(({ prompt, views }) => {
    const last = views.at(-1);
    return last ? [{ path: last.path, name: text.scene(prompt) }] : [];
  });
  return (
    <section class="prove-part">
      <h2>{text.pictures}</h2>
      <SceneView scene={scene} meeting={meeting} />
      <Strip label={text.scenes} pictures={pictures} open={chosen.value} onOpen={(index) => (chosen.value = index)} />
    </section>
  );
}

function SceneView({ scene, meeting }: { scene: Scene; meeting: Meeting }): JSX.Element {
  const text = words.value.prove;
  return (
    <>
      <p>
        <q class="prove-quote">{scene.prompt}</q> <span class="fine">{text.compare.seed(scene.seed)}</span>
      </p>
      <div class="prove-views">
        {scene.views.map((view) => (
          <figure key={view.path}>
            <AuthImage path={view.path} alt={text.compare.alt(viewName(view, meeting), scene.prompt)} />
            <figcaption>
              <strong>{viewName(view, meeting)}</strong>
              <span class="fine">{view.found.length ? text.together.shows(formatList(view.found)) : text.together.showsNone}</span>
            </figcaption>
          </figure>
        ))}
      </div>
    </>
  );
}

function viewName(view: View, meeting: Meeting): string {
  const text = words.value.prove.together;
  const alone = aloneIn(view.what);
  if (alone !== null) return text.isAlone(alone);
  return view.what === "together" ? text.together : afterName(meeting);
}

function CrossingView({ crossing }: { crossing: Crossing }): JSX.Element {
  const text = words.value.prove.together;
  const { seals, damage, cosine, layers } = crossing;
  const [first, second] = seals;
  const blocks = crossing.blocks.slice(0, NUM_BLOCKS);
  const longest = blocks[0]?.share || 1;
  return (
    <section class="prove-part">
      <h2>{text.weights(formatList(seals))}</h2>
      {layers.length === 0 && <p>{text.apart}</p>}
      {damage && layers.length > 0 && (
        <p>
          {text.damage(first, second, formatPercent(damage[0]))} {text.damage(second, first, formatPercent(damage[1]))}{" "}
          {cosine !== null && directionOf(cosine)}
        </p>
      )}
      {blocks.length > 0 && (
        <>
          <p class="fine">{text.blocksHint}</p>
          <dl class="prove-shares prove-blocks">
            {blocks.map(({ name, share }) => (
              <div key={name}>
                <dt>{text.block(name)}</dt>
                <dd>
                  <Bar value={share} interval={[0, share]} ends={[0, longest]} label={formatPercent(share)} />
                  <span class="prove-number">{formatPercent(share)}</span>
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {layers.length > 0 && (
        <Disclosure summary={text.layers(layers.length)}>
          <Layers crossing={crossing} />
        </Disclosure>
      )}
    </section>
  );
}

function directionOf(cosine: number): string {
  const text = words.value.prove.together.directions;
  if (Math.abs(cosine) < LEAST_COSINE) return text.neither;
  return cosine > 0 ? text.same : text.against;
}

function Layers({ crossing }: { crossing: Crossing }): JSX.Element {
  const text = words.value.prove.together;
  const { columns } = text;
  return (
    <div class="table-wrap" tabIndex={0} role="region" aria-label={text.layers(crossing.layers.length)}>
      <table>
        <thead>
          <tr>
            <th scope="col">{columns.layer}</th>
            <th scope="col">{columns.block}</th>
            <th scope="col">{columns.share}</th>
            <th scope="col">{columns.read}</th>
            <th scope="col">{columns.written}</th>
            <th scope="col">{columns.direction}</th>
          </tr>
        </thead>
        <tbody>
          {crossing.layers.map((layer) => (
            <tr key={layer.path}>
              <th scope="row">
                <code>{layer.path}</code>
              </th>
              <td>
                <code>{layer.block}</code>
              </td>
              <td>{formatPercent(layer.share, 1)}</td>
              <td>{formatPercent(layer.read)}</td>
              <td>{formatPercent(layer.written)}</td>
              <td>{formatNumber(layer.cosine, 2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
