// Make: a composer, and everything that was drawn.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Recipe } from "../../api/types.ts";
import { go, place } from "../../router.ts";
import { base, baseProblem, loadBase } from "../../state/base.ts";
import { lastEnded, loadOrders } from "../../state/orders.ts";
import { loadSeals } from "../../state/seals.ts";
import { Announced, PageHead, Waiting } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { Composer } from "./composer.tsx";
import { type Handed, recall, recallFile, take } from "./draft.ts";
import { Gallery } from "./gallery.tsx";
import "./make.css";
import { Viewer } from "./viewer.tsx";

const RECIPE = "application/x-sealsmith-recipe";

export function MakePage(): JSX.Element {
  const text = words.value.make;
  const isOver = useSignal(false);
  const { rest, query } = place.value;
  const wanted = query.toString();
  useEffect(() => {
    void loadBase();
    void loadOrders();
  }, []);
  useEffect(() => {
    void loadSeals().then(() => {
      if (!query.has("seal")) return;
      take(handedIn(query));
      go("make", [], {}, true);
    });
  }, [wanted]);
  const [order, index] = rest;
  return (
    <div
      class={`make${isOver.value ? " make-over" : ""}`}
      onDragOver={(event) => {
        if (!isWelcome(event.dataTransfer)) return;
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={(event) => {
        if (event.target === event.currentTarget) isOver.value = false;
      }}
      onDrop={(event) => {
        isOver.value = false;
        if (!isWelcome(event.dataTransfer)) return;
        event.preventDefault();
        taken(event.dataTransfer);
      }}
    >
      <PageHead title={text.title} lead={text.lead} />
      {isOver.value && <p class="make-drop">{text.recallDrop}</p>}
      {base.value === null && baseProblem.value && <Waiting text={text.engineStarting} />}
      <div class="make-columns">
        <Composer />
        <Gallery />
      </div>
      {order && index !== undefined && <Viewer id={order} index={Number(index)} />}
      <Announced>{ending()}</Announced>
    </div>
  );
}

/** What a link into this page brings along. */
function handedIn(query: URLSearchParams): Handed {
  const guidance = Number(query.get("guidance") ?? Number.NaN);
  return {
    seals: query.getAll("seal"),
    strengths: query.getAll("strength"),
    mix: query.get("mix"),
    guidance: Number.isFinite(guidance) ? guidance : null,
  };
}

function isWelcome(data: DataTransfer | null): data is DataTransfer {
  return data !== null && (data.types.includes("Files") || data.types.includes(RECIPE));
}

/** A picture of ours brings its recipe along; of a file the server reads it. */
function taken(data: DataTransfer): void {
  const own = data.getData(RECIPE);
  const file = data.files[0];
  if (own) void recall(JSON.parse(own) as Recipe);
  else if (file) void recallFile(file);
}

/** What the last order came to, in words. */
function ending(): string {
  const text = words.value.make;
  const pictures = lastEnded.value?.pictures ?? [];
  const done = pictures.filter((picture) => picture.state === "done").length;
  const failed = pictures.length - done;
  return [done && text.ended(done), failed && text.endedFailed(failed)].filter(Boolean).join(" ");
}
