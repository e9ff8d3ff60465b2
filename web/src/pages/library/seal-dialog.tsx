// Everything about one seal, and everything that can be done with it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { isMissingRoute, type Problem } from "../../api/problem.ts";
import { deleteSeal, DIALECTS, type Dialect, exportSeal, fitsOf, getSeal, renameSeal } from "../../api/seals.ts";
import type { Fit, Seal } from "../../api/types.ts";
import { saveAs } from "../../api/blobs.ts";
import { go, hrefOf } from "../../router.ts";
import { loadSeals } from "../../state/seals.ts";
import { may } from "../../state/session.ts";
import { Badge, Button, complain, ConfirmButton, CopyButton, Dialog, ErrorNote, LinkButton, say, SealPicture, Select, TextField, type Tone, VerdictBadge, Waiting } from "../../ui/index.ts";
import { formatBytes, formatMoment, formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { Sharing } from "./sharing.tsx";

export function SealDialog({ id, onChanged }: { id: string; onChanged: () => void }): JSX.Element {
  const text = words.value.library;
  const seal = useSignal<Seal | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    seal.value = null;
    problem.value = null;
    void getSeal(id).then((answer) => {
      if (answer.ok) seal.value = answer.value;
      else problem.value = answer.problem;
    });
  }, [id]);
  const close = (): void => go("library");
  const changed = (now: Seal | null): void => {
    seal.value = now;
    void loadSeals();
    onChanged();
    if (now === null) close();
  };
  return (
    <Dialog title={seal.value?.name ?? text.title} isOpen onClose={close} isWide>
      {problem.value && <ErrorNote problem={problem.value} />}
      {seal.value === null ? !problem.value && <Waiting /> : <Inside seal={seal.value} onChanged={changed} />}
    </Dialog>
  );
}

interface Part {
  seal: Seal;
  /** What it is now; null: it is gone. */
  onChanged: (now: Seal | null) => void;
}

function Inside({ seal, onChanged }: Part): JSX.Element {
  const text = words.value.library;
  const isOwn = seal.is_own !== false;
  return (
    <div class="seal-about">
      <div class="seal-about-side">
        <SealPicture id={seal.id} name={seal.name} hasPicture={seal.has_thumbnail ?? false} isLarge />
        <div class="actions">
          <VerdictBadge verdict={seal.verdict} />
          {!isOwn && <Badge tone="wax">{text.shared(seal.owner ?? "")}</Badge>}
        </div>
        <div class="actions">
          <LinkButton kind="primary" icon="make" href={hrefOf("make", [], { seal: seal.id })}>
            {text.make}
          </LinkButton>
          <LinkButton icon="prove" href={hrefOf("prove", [seal.id])}>
            {text.prove}
          </LinkButton>
        </div>
        <Facts seal={seal} />
      </div>
      <div class="seal-about-side">
        <Fits id={seal.id} />
        {isOwn && may("train") && <Renaming seal={seal} onChanged={onChanged} />}
        {isOwn ? <Exporting seal={seal} /> : <p class="fine">{text.notExported}</p>}
        {isOwn && may("train") && <Sharing id={seal.id} />}
        {isOwn && may("train") && <Deleting seal={seal} onChanged={onChanged} />}
      </div>
    </div>
  );
}

function Facts({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.library;
  const rows: [string, string][] = [
    [text.trigger, seal.trigger],
    [text.classNoun, seal.class_noun],
    [text.base, [...new Set([seal.base, seal.family])].filter(Boolean).join(" · ")],
    [text.method, seal.method],
    [text.rank, seal.rank ? formatNumber(seal.rank) : ""],
    [text.layers, formatNumber(seal.num_layers)],
    [text.size, formatBytes(seal.size_bytes)],
    [text.added, formatMoment(seal.added)],
  ];
  return (
    <div class="seal-facts">
      <dl class="facts">
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        <div>
          <dt>{text.hash}</dt>
          <dd>
            <code>{seal.id}</code>
          </dd>
        </div>
      </dl>
      <CopyButton text={seal.id} label={text.copyHash} done={text.hashCopied} />
    </div>
  );
}

const FIT_TONES: Record<Fit["verdict"], Tone> = { fits: "good", partly: "warning", no: "bad" };

function Fits({ id }: { id: string }): JSX.Element | null {
  const text = words.value.library;
  const fits = useSignal<Fit[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    void fitsOf(id).then((answer) => {
      if (answer.ok) fits.value = answer.value;
      else if (isMissingRoute(answer.problem)) fits.value = [];
      else problem.value = answer.problem;
    });
  }, [id]);
  if (problem.value) return <ErrorNote problem={problem.value} />;
  if (fits.value?.length === 0) return null;
  return (
    <section class="seal-part">
      <h3>{text.fit}</h3>
      {fits.value === null && <Waiting text={text.fitting} />}
      <ul class="fits">
        {fits.value?.map((fit) => (
          <li key={fit.base}>
            <p>
              <strong>{fit.base}</strong> <Badge tone={FIT_TONES[fit.verdict]}>{text.fits[fit.verdict]}</Badge>{" "}
              <span class="fine">{text.fitLayers(formatNumber(fit.matched), formatNumber(fit.total))}</span>
            </p>
            {fit.verdict !== "fits" && <p class="fine">{fit.message}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Renaming({ seal, onChanged }: Part): JSX.Element {
  const text = words.value.library;
  const name = useSignal(seal.name);
  const problem = useSignal<Problem | null>(null);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const answer = await renameSeal(seal.id, name.value.trim());
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    say(text.renamed);
    onChanged(answer.value);
  };
  return (
    <section class="seal-part">
      <h3>{text.rename}</h3>
      <form class="line-form" onSubmit={(event) => void save(event)}>
        <TextField label={text.renameTo} value={name.value} maxLength={100} onInput={(value) => (name.value = value)} />
        <Button type="submit" isDisabled={!name.value.trim() || name.value.trim() === seal.name}>
          {text.save}
        </Button>
      </form>
      {problem.value && <ErrorNote problem={problem.value} />}
    </section>
  );
}

function Exporting({ seal }: { seal: Seal }): JSX.Element {
  const text = words.value.library;
  const dialect = useSignal<Dialect>("sealsmith");
  const isBusy = useSignal(false);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    isBusy.value = true;
    const answer = await exportSeal(seal.id, dialect.value);
    isBusy.value = false;
    if (!answer.ok) return complain(answer.problem);
    const suffix = dialect.value === "sealsmith" ? "" : `-${dialect.value}`;
    saveAs(answer.value, `${seal.name}${suffix}.safetensors`);
    say(text.exported);
  };
  return (
    <section class="seal-part">
      <h3>{text.export}</h3>
      <form class="line-form" onSubmit={(event) => void save(event)}>
        <Select
          label={text.dialect}
          value={dialect.value}
          options={DIALECTS.map((value) => ({ value, text: text.dialects[value] }))}
          onChange={(value) => (dialect.value = value)}
        />
        <Button type="submit" icon="download" isBusy={isBusy.value}>
          {text.exportDo}
        </Button>
      </form>
    </section>
  );
}

function Deleting({ seal, onChanged }: Part): JSX.Element {
  const text = words.value.library;
  const remove = async (): Promise<void> => {
    const answer = await deleteSeal(seal.id);
    if (!answer.ok) return complain(answer.problem);
    say(text.deleted(seal.name));
    onChanged(null);
  };
  return (
    <section class="seal-part">
      <ConfirmButton
        kind="danger"
        icon="trash"
        question={text.deleteQuestion(seal.name)}
        consequence={text.deleteConsequence}
        confirm={text.delete}
        onConfirm={remove}
      >
        {text.delete}
      </ConfirmButton>
    </section>
  );
}
