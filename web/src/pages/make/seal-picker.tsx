// The library, to choose seals for a wish from.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { hrefOf } from "../../router.ts";
import { loadSeals, seals, sealsProblem } from "../../state/seals.ts";
import type { Seal } from "../../api/types.ts";
import { Button, Dialog, EmptyState, ErrorNote, LinkButton, TextField, Waiting } from "../../ui/index.ts";
import { SealPicture } from "../../ui/seal-picture.tsx";
import { words } from "../../words/index.ts";
import { addSeal, draft, removeSeal } from "./draft.ts";

export function SealPicker({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }): JSX.Element {
  const text = words.value.make;
  useEffect(() => {
    if (isOpen) void loadSeals();
  }, [isOpen]);
  return (
    <Dialog title={text.pick} isOpen={isOpen} onClose={onClose}>
      {sealsProblem.value && <ErrorNote problem={sealsProblem.value} onRetry={() => void loadSeals()} />}
      {seals.value === null ? !sealsProblem.value && <Waiting /> : <Pickable all={seals.value} />}
      <div class="actions">
        <Button kind="primary" onClick={onClose}>
          {text.pickDone}
        </Button>
      </div>
    </Dialog>
  );
}

function Pickable({ all }: { all: Seal[] }): JSX.Element {
  const text = words.value.make;
  const search = useSignal("");
  if (!all.length) {
    return (
      <EmptyState title={text.pickEmpty} text={text.pickEmptyText}>
        <div class="actions">
          <LinkButton href={hrefOf("teach")}>{words.value.shell.pages.teach}</LinkButton>
          <LinkButton href={hrefOf("library")}>{words.value.shell.pages.library}</LinkButton>
        </div>
      </EmptyState>
    );
  }
  const wanted = search.value.trim().toLowerCase();
  const found = all.filter((seal) => `${seal.name} ${seal.trigger} ${seal.title}`.toLowerCase().includes(wanted));
  const chosen = draft.value.seals;
  return (
    <>
      <TextField
        label={text.pickSearch}
        type="search"
        value={search.value}
        onInput={(value) => (search.value = value)}
      />
      <ul class="pickable">
        {found.map((seal) => {
          const index = chosen.findIndex((one) => one.id === seal.id);
          return (
            <li key={seal.id}>
              <button
                type="button"
                class="pickable-one"
                aria-pressed={index >= 0}
                onClick={() => (index >= 0 ? removeSeal(index) : addSeal(seal.id))}
              >
                <SealPicture id={seal.id} name={seal.name} hasPicture={seal.has_thumbnail ?? false} />
                <span>
                  <strong>{seal.name}</strong>
                  <small>{[seal.trigger, seal.class_noun].filter(Boolean).join(" · ")}</small>
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      {!found.length && <p class="field-hint">{text.pickNone}</p>}
    </>
  );
}
