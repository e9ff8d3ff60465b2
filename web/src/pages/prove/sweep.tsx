// The seal at several strengths, each measured, with the one to use.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { blobOf, saveAs } from "../../api/blobs.ts";
import type { Seal, Study } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import { isRecord } from "../../state/drafts.ts";
import { AuthImage, Badge, Button, complain, Icon, LinkButton, NumberField } from "../../ui/index.ts";
import { formatNumber, formatPercent } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { type Looks, LooksView, useLooks } from "./looks.tsx";
import { pathOf } from "./files.ts";
import { StudyForm } from "./study-form.tsx";

const MAX_VALUES = 12;
const SHARES = ["fidelity", "adherence", "leak"] as const;

interface Cell {
  value: number;
  figures: [string, string][];
  picture: string | null;
}

export function SweepTab({ seal }: { seal: Seal }): JSX.Element {
  const looks = useLooks("sweep", seal.id, "sweep");
  return (
    <div class="prove-tab">
      <p class="lead">{words.value.prove.sweep.hint}</p>
      <LooksView looks={looks} seal={seal.id} tab="sweep" empty={null} meanwhile={(study) => <SoFar study={study} />}>
        {(study) => <Sheet study={study} seal={seal} />}
      </LooksView>
      <Ask seal={seal} looks={looks} />
    </div>
  );
}

function Ask({ seal, looks }: { seal: Seal; looks: Looks }): JSX.Element {
  const text = words.value.prove.sweep;
  const [from, to, by] = [useSignal<number | null>(0.4), useSignal<number | null>(1.2), useSignal<number | null>(0.2)];
  const values = valuesOf(from.value, to.value, by.value);
  const error = values === null ? text.badRange : values.length > MAX_VALUES ? text.tooMany : undefined;
  const asked = values && !error ? { seal: seal.id, axis: "strength", values } : null;
  return (
    <StudyForm kind="sweep" looks={looks} asked={asked} start={text.start} isDisabled={error !== undefined}>
      <div class="prove-numbers">
        <NumberField label={text.from} value={from.value} step="any" onInput={(value) => (from.value = value)} />
        <NumberField label={text.to} value={to.value} step="any" onInput={(value) => (to.value = value)} />
        <NumberField label={text.by} value={by.value} step="any" onInput={(value) => (by.value = value)} />
      </div>
      {error ? (
        <p class="field-error" role="alert">
          {error}
        </p>
      ) : (
        <p class="fine">{(values ?? []).map((value) => formatNumber(value, 2)).join(" · ")}</p>
      )}
    </StudyForm>
  );
}

/** The strengths from one to another, both included where the step hits them; null for what is no range. */
export function valuesOf(from: number | null, to: number | null, by: number | null): number[] | null {
  if (from === null || to === null || by === null || by <= 0 || to <= from) return null;
  const count = Math.min(Math.floor((to - from) / by + 1e-9) + 1, 10 * MAX_VALUES);
  return Array.from({ length: count }, (_, index) => Number((from + index * by).toFixed(6)));
}

function Sheet({ study, seal }: { study: Study; seal: Seal }): JSX.Element {
  const text = words.value.prove.sweep;
  const told = study.result?.["recommended"];
  const recommended = isRecord(told) && typeof told["value"] === "number" ? told["value"] : null;
  const reason = isRecord(told) && typeof told["reason"] === "string" ? told["reason"] : "";
  const sheet = pathOf(study, "sheet.png");
  const save = async (): Promise<void> => {
    const answer = sheet ? await blobOf(sheet) : null;
    if (answer?.ok) saveAs(answer.value, `${seal.name}-strengths.png`);
    else if (answer) complain(answer.problem);
  };
  return (
    <>
      <section class="note prove-recommended">
        <Icon name={recommended === null ? "warning" : "check"} />
        <div class="note-text">
          <h2>{recommended === null ? text.noRecommendation : text.recommendation(formatNumber(recommended, 2))}</h2>
          {reason && <p class="fine">{reason}</p>}
          {recommended !== null && (
            <LinkButton kind="primary" icon="make" href={hrefOf("make", [], { seal: seal.name, strength: String(recommended) })}>
              {text.useThis}
            </LinkButton>
          )}
        </div>
      </section>
      <ul class="prove-cells">
        {cellsOf(study).map((cell) => (
          <li key={cell.value} class={cell.value === recommended ? "prove-cell prove-cell-best" : "prove-cell"}>
            <CellView cell={cell} seal={seal} isBest={cell.value === recommended} />
          </li>
        ))}
      </ul>
      {sheet && (
        <div class="actions">
          <Button isSmall icon="download" onClick={() => void save()}>
            {text.sheet}
          </Button>
        </div>
      )}
    </>
  );
}

/** The pictures of the strengths that are done, while others are still to come. */
function SoFar({ study }: { study: Study }): JSX.Element | null {
  if (!study.files.length) return null;
  return (
    <div class="prove-cells">
      {study.files.map((file, index) => (
        <AuthImage key={file.id} path={file.url} alt={words.value.prove.sweep.drawn(index + 1)} />
      ))}
    </div>
  );
}

function CellView({ cell, seal, isBest }: { cell: Cell; seal: Seal; isBest: boolean }): JSX.Element {
  const text = words.value.prove.sweep;
  const value = formatNumber(cell.value, 2);
  return (
    <>
      {cell.picture && <AuthImage path={cell.picture} alt={text.alt(value)} />}
      <h3>
        {text.at(value)} {isBest && <Badge tone="wax">{text.recommended}</Badge>}
      </h3>
      <dl>
        {cell.figures.map(([name, shown]) => (
          <div key={name}>
            <dt>{text.figures[name] ?? name}</dt>
            <dd>{shown}</dd>
          </div>
        ))}
      </dl>
      <LinkButton isSmall href={hrefOf("make", [], { seal: seal.name, strength: String(cell.value) })}>
        {text.use(value)}
      </LinkButton>
    </>
  );
}

function cellsOf(study: Study): Cell[] {
  const told = study.result?.["cells"];
  if (!Array.isArray(told)) return [];
  return told.filter(isRecord).map((cell) => ({
    value: Number(cell["value"]),
    picture: pathOf(study, cell["file"]),
    figures: figuresOf(isRecord(cell["figures"]) ? cell["figures"] : {}),
  }));
}

/** The figures that people compare, written out; those that were not measured are left out. */
function figuresOf(figures: Record<string, unknown>): [string, string][] {
  const found: [string, string][] = [];
  const add = (name: string, value: unknown, write: (value: number) => string): void => {
    if (typeof value === "number") found.push([name, write(value)]);
  };
  for (const name of SHARES) add(name, figures[name], (value) => formatPercent(value));
  add("likeness", figures["likeness"], (value) => formatNumber(value, 2));
  add("drift", figures["drift"], (value) => formatNumber(value, 3));
  return found;
}
