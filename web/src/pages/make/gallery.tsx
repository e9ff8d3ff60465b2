// Everything that was ordered, the newest first, and what has become of it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import {
  areAllLoaded,
  cancel,
  draftOfOrder,
  forgetHistory,
  goneOrders,
  isOpen,
  loadOlder,
  loadOrders,
  orders,
  ordersProblem,
  previews,
  recipeOf,
  remove,
} from "../../state/orders.ts";
import type { Order, Picture } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import type { Draft } from "../../state/wish.ts";
import { AuthImage, Badge, Button, complain, ConfirmButton, EmptyState, ErrorNote, Icon, ProgressBar, say, told, Waiting } from "../../ui/index.ts";
import { formatAgo } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { draft, recall } from "./draft.ts";

/** Orders that are shown at once. */
const PART = 20;

export function Gallery(): JSX.Element {
  const text = words.value.make;
  const all = orders.value;
  const gone = goneOrders();
  const num = useSignal(PART);
  const more = (): void => {
    num.value += PART;
    if (num.value > (all?.length ?? 0) && !areAllLoaded.value) void loadOlder();
  };
  return (
    <section class="gallery" aria-label={text.gallery}>
      {ordersProblem.value && <ErrorNote problem={ordersProblem.value} onRetry={() => void loadOrders()} />}
      {all === null && !ordersProblem.value && <Waiting />}
      {all?.length === 0 && !gone.length && <EmptyState title={text.empty} text={text.emptyText} />}
      {all?.slice(0, num.value).map((order) => (
        <OrderBlock key={order.id} order={order} />
      ))}
      {all && (all.length > num.value || !areAllLoaded.value) && <Button onClick={more}>{words.value.shell.showMore}</Button>}
      {gone.length > 0 && <Gone gone={gone} />}
    </section>
  );
}

function OrderBlock({ order }: { order: Order }): JSX.Element {
  const text = words.value.make;
  const said = sayingOf(order);
  const isUnderWay = isOpen(order);
  return (
    <article class="order">
      <header class="order-head">
        <div class="order-words">
          <h2 title={said.prompt}>{said.prompt}</h2>
          <p class="fine">
            {[said.seals && text.withSeals(said.seals), formatAgo(order.created)].filter(Boolean).join(" · ")}
          </p>
        </div>
        <div class="actions">
          {said.again && (
            <Button isSmall icon="again" onClick={said.again}>
              {text.again}
            </Button>
          )}
          {isUnderWay ? (
            <Button isSmall icon="stop" onClick={() => void cancelled(order.id)}>
              {text.cancel}
            </Button>
          ) : (
            <ConfirmButton
              isSmall
              kind="quiet"
              icon="trash"
              label={text.remove}
              question={text.removeQuestion}
              consequence={text.removeConsequence}
              confirm={text.remove}
              onConfirm={() => removed(order.id)}
            />
          )}
        </div>
      </header>
      <ul class="tiles">
        {order.pictures.map((picture) => (
          <li key={picture.index}>
            <Tile order={order} picture={picture} prompt={said.prompt} />
          </li>
        ))}
      </ul>
    </article>
  );
}

interface Saying {
  prompt: string;
  seals: string;
  /** Puts it into the composer; null where nobody knows how. */
  again: (() => void) | null;
}

/** What an order asked for: as it was typed here, else as its first finished picture says, else its words alone. */
function sayingOf(order: Order): Saying {
  const known = draftOfOrder(order.id);
  if (known) return { prompt: known.prompt, seals: namesIn(known), again: () => useAgain(known, order.pictures[0]?.seed) };
  const recipe = recipeOf(order.pictures.find((picture) => picture.recipe));
  if (!recipe) return { prompt: order.prompt, seals: "", again: null };
  const seals = recipe.seals.map((seal) => seal.name).join(", ");
  return { prompt: recipe.prompt_typed, seals, again: () => void recall(recipe) };
}

const namesIn = (known: Draft): string => known.seals.map((seal) => seal.name).join(", ");

/** A draft again, with the seed it was drawn with. */
function useAgain(known: Draft, seed: number | undefined): void {
  draft.value = { ...known, seed: seed ?? known.seed };
  say(words.value.make.recalled);
}

async function cancelled(id: string): Promise<void> {
  const answer = await cancel(id);
  if (!answer.ok) complain(answer.problem);
}

async function removed(id: string): Promise<void> {
  const answer = await remove(id);
  if (!answer.ok) complain(answer.problem);
}

function Tile({ order, picture, prompt }: { order: Order; picture: Picture; prompt: string }): JSX.Element {
  const text = words.value.make;
  const name = text.picture(picture.index + 1, prompt);
  if (picture.url) {
    const recipe = recipeOf(picture);
    return (
      <a
        class="tile"
        href={hrefOf("make", [order.id, String(picture.index)])}
        aria-label={text.open(picture.index + 1)}
        onDragStart={(event) => recipe && event.dataTransfer?.setData("application/x-sealsmith-recipe", JSON.stringify(recipe))}
      >
        <AuthImage path={picture.url} alt={name} />
      </a>
    );
  }
  if (picture.state === "failed") return <FailedTile picture={picture} />;
  const preview = previews.value[`${order.id}/${picture.index}`];
  const isDrawing = picture.state === "drawing" && picture.num_steps;
  return (
    <div class="tile tile-open">
      {preview ? <img class="tile-preview" src={preview} alt={name} /> : <span class="tile-blank" />}
      <div class="tile-progress">
        <ProgressBar
          label={name}
          {...(isDrawing ? { done: picture.step, total: picture.num_steps ?? 1 } : {})}
          text={isDrawing ? text.step(picture.step, picture.num_steps ?? 0) : text.states[picture.state]}
        />
      </div>
    </div>
  );
}

function FailedTile({ picture }: { picture: Picture }): JSX.Element {
  const text = words.value.make;
  if (!picture.error || picture.error.code === "cancelled") {
    return (
      <div class="tile tile-failed">
        <Badge>{text.states.cancelled}</Badge>
      </div>
    );
  }
  const { title, message, remedy } = told(picture.error);
  return (
    <div class="tile tile-failed">
      <Icon name="warning" />
      <strong>{title}</strong>
      <p>{message}</p>
      <p class="fine">{remedy}</p>
    </div>
  );
}

function Gone({ gone }: { gone: ReturnType<typeof goneOrders> }): JSX.Element {
  const text = words.value.make;
  return (
    <section class="gone" aria-label={text.gone}>
      <header class="card-head">
        <div>
          <h2>{text.gone}</h2>
          <p class="fine">{text.goneText}</p>
        </div>
        <Button isSmall kind="quiet" icon="trash" onClick={forgetHistory}>
          {text.goneForget}
        </Button>
      </header>
      <ul>
        {gone.map((one) => (
          <li key={one.id}>
            <span class="gone-words">{one.draft.prompt}</span>
            <span class="fine">{formatAgo(one.created)}</span>
            <Button isSmall icon="again" onClick={() => useAgain(one.draft, undefined)}>
              {text.again}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
