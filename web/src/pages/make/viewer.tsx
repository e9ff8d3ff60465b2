// One picture, large, with its recipe.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { blobOf, saveAs } from "../../api/blobs.ts";
import type { Order, Picture, Recipe } from "../../api/types.ts";
import { go } from "../../router.ts";
import { areAllLoaded, loadOlder, orders, ordersProblem, recipeOf } from "../../state/orders.ts";
import { AuthImage, Button, complain, Dialog, say, Waiting, WarningNote } from "../../ui/index.ts";
import { formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { change, recall } from "./draft.ts";

export function Viewer({ id, index }: { id: string; index: number }): JSX.Element | null {
  const text = words.value.make;
  const order = orders.value?.find((one) => one.id === id);
  const isLooking = !order && !areAllLoaded.value && !ordersProblem.value;
  useEffect(() => {
    if (orders.value && isLooking) void loadOlder();
  }, [orders.value, isLooking]);
  if (orders.value === null) return null;
  const picture = order?.pictures[index];
  const recipe = recipeOf(picture);
  const close = (): void => go("make");
  return (
    <Dialog title={recipe?.prompt_typed ?? text.viewer} isOpen onClose={close} isWide>
      {order && picture?.url ? (
        <div class="viewer" onKeyDown={(event) => turnByKey(event, order, index)}>
          <div class="viewer-picture">
            <AuthImage path={picture.url} alt={text.picture(index + 1, recipe?.prompt_typed ?? "")} />
            <Turning order={order} index={index} />
          </div>
          <div class="viewer-side">
            <Actions picture={picture} recipe={recipe} onUsed={close} />
            {picture.warnings.map((warning) => (
              <WarningNote key={warning}>{warning}</WarningNote>
            ))}
            {recipe && <RecipeList recipe={recipe} />}
          </div>
        </div>
      ) : isLooking ? (
        <Waiting />
      ) : (
        <p>{text.pictureGone}</p>
      )}
    </Dialog>
  );
}

/** The finished pictures before and after this one. */
function neighbours(order: Order, index: number): { before: number | undefined; after: number | undefined } {
  const done = order.pictures.filter((picture) => picture.url).map((picture) => picture.index);
  const at = done.indexOf(index);
  return { before: done[at - 1], after: done[at + 1] };
}

function turn(order: Order, index: number | undefined): void {
  if (index !== undefined) go("make", [order.id, String(index)], {}, true);
}

function turnByKey(event: KeyboardEvent, order: Order, index: number): void {
  const { before, after } = neighbours(order, index);
  if (event.key === "ArrowLeft") turn(order, before);
  if (event.key === "ArrowRight") turn(order, after);
}

function Turning({ order, index }: { order: Order; index: number }): JSX.Element | null {
  const text = words.value.make;
  const { before, after } = neighbours(order, index);
  if (before === undefined && after === undefined) return null;
  return (
    <div class="viewer-turn">
      <Button icon="left" label={text.previous} isDisabled={before === undefined} onClick={() => turn(order, before)} />
      <Button icon="right" label={text.next} isDisabled={after === undefined} onClick={() => turn(order, after)} />
    </div>
  );
}

function Actions(props: { picture: Picture; recipe: Recipe | null; onUsed: () => void }): JSX.Element {
  const text = words.value.make;
  const { picture, recipe } = props;
  const download = async (): Promise<void> => {
    const answer = await blobOf(picture.url ?? "");
    if (answer.ok) saveAs(answer.value, `sealsmith-${picture.seed}.png`);
    else complain(answer.problem);
  };
  return (
    <div class="actions">
      <Button kind="primary" icon="download" onClick={() => void download()}>
        {text.download}
      </Button>
      {recipe && (
        <Button
          icon="again"
          onClick={() => {
            void recall(recipe);
            props.onUsed();
          }}
        >
          {text.again}
        </Button>
      )}
      <Button
        onClick={() => {
          change({ seed: picture.seed });
          say(text.seedUsed);
          props.onUsed();
        }}
      >
        {text.useSeed}
      </Button>
    </div>
  );
}

function RecipeList({ recipe }: { recipe: Recipe }): JSX.Element {
  const text = words.value.make;
  const seals = recipe.seals.map((seal) => `${seal.name} ${seal.how || formatNumber(seal.strength, 2)}`);
  const rows: [string, string][] = [
    [text.prompt, recipe.prompt_typed],
    ...(recipe.prompt !== recipe.prompt_typed ? [[text.recipeSent, recipe.prompt] as [string, string]] : []),
    ...(recipe.negative ? [[text.negative, recipe.negative] as [string, string]] : []),
    ...(seals.length ? [[text.seals, seals.join("\n")] as [string, string]] : []),
    [text.seed, String(recipe.seed)],
    [text.steps, String(recipe.num_steps)],
    [text.guidance, formatNumber(recipe.guidance, 2)],
    [text.sampler, recipe.sampler],
    [text.recipeSize, `${recipe.width} × ${recipe.height}`],
    [text.recipeBase, recipe.base],
  ];
  return (
    <dl class="facts" aria-label={text.recipe}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
