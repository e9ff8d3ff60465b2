// One training, from its turn in the queue to its verdict.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { blobOf } from "../../api/blobs.ts";
import type { Result } from "../../api/problem.ts";
import { cancelTraining, forgetTraining, getTraining, resumeTraining } from "../../api/trainings.ts";
import type { Training } from "../../api/types.ts";
import { go, hrefOf } from "../../router.ts";
import { isAtRest, useJob } from "../../state/jobs.ts";
import { refreshMe } from "../../state/session.ts";
import {
  Announced,
  Badge,
  Button,
  Card,
  complain,
  ConfirmButton,
  ErrorNote,
  LinkButton,
  ProgressBar,
  say,
  Waiting,
  WarningNote,
} from "../../ui/index.ts";
import { formatAgo, formatDuration, formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { Curve } from "./curve.tsx";
import { Gallery } from "./gallery.tsx";
import { StateBadge } from "./parts.tsx";
import { type Point, pointsOf, storyOf } from "./story.ts";
import { Verdict } from "./verdict.tsx";

export function Watch({ id }: { id: string }): JSX.Element {
  const text = words.value.teach;
  const { job, problem, events, isConnected, take, reload } = useJob(id, getTraining);
  const story = useMemo(() => storyOf(events.value), [events.value]);
  const training = job.value;
  const state = training?.state;
  useEffect(() => {
    if (state && isAtRest(state)) void refreshMe();
  }, [state]);
  if (!training) {
    return (
      <>
        <BackLink />
        {problem.value ? <ErrorNote problem={problem.value} onRetry={reload} /> : <Waiting />}
      </>
    );
  }
  return (
    <>
      <BackLink />
      <Head training={training} take={take} />
      <Announced>{text.saidState(training.name, text.states[training.state])}</Announced>
      <div class="teach-watch">
        <Verdict training={training} />
        {!isAtRest(training.state) && <Stage training={training} isConnected={isConnected.value} />}
        {story.interruptions > 0 && (
          <p class="fine">{(isAtRest(training.state) ? text.hadGoneOn : text.wentOn)(story.interruptions)}</p>
        )}
        <News notes={[...new Set([...story.notes, ...training.warnings])]} />
        <div class="teach-sides">
          <Card title={text.gallery.title}>
            <Gallery files={training.files} />
          </Card>
          <Learning training={training} live={story.points} />
        </div>
      </div>
    </>
  );
}

function BackLink(): JSX.Element {
  return (
    <p class="teach-back">
      <LinkButton kind="quiet" isSmall icon="left" href={hrefOf("teach")}>
        {words.value.teach.back}
      </LinkButton>
    </p>
  );
}

function Head({ training, take }: { training: Training; take: (training: Training) => void }): JSX.Element {
  const text = words.value.teach;
  const isOver = isAtRest(training.state);
  const act = async (asked: Promise<Result<Training>>): Promise<void> => {
    const answer = await asked;
    if (answer.ok) take(answer.value);
    else complain(answer.problem);
  };
  const remove = async (): Promise<void> => {
    const answer = await forgetTraining(training.id);
    if (!answer.ok) return complain(answer.problem);
    say(text.removed);
    go("teach");
  };
  return (
    <header class="page-head">
      <div>
        <h1>{training.name}</h1>
        <p class="teach-facts">
          <StateBadge training={training} />
          <span class="fine">
            {text.calledBy} <code>{training.trigger}</code> · {text.handedIn(formatAgo(training.created))}
          </span>
        </p>
      </div>
      <div class="page-actions">
        {!isOver && training.state !== "cancelling" && (
          <ConfirmButton
            icon="stop"
            question={text.cancelQuestion}
            consequence={text.cancelConsequence}
            confirm={text.cancel}
            onConfirm={() => act(cancelTraining(training.id))}
          >
            {text.cancel}
          </ConfirmButton>
        )}
        {(training.state === "failed" || training.state === "cancelled") && (
          <Button kind="primary" icon="again" onClick={() => void act(resumeTraining(training.id))}>
            {text.resume}
          </Button>
        )}
        {isOver && (
          <ConfirmButton
            icon="trash"
            question={text.removeQuestion}
            consequence={text.removeConsequence}
            confirm={text.remove}
            onConfirm={remove}
          >
            {text.remove}
          </ConfirmButton>
        )}
      </div>
    </header>
  );
}

/** What it is at, how far, and how long still. */
function Stage({ training, isConnected }: { training: Training; isConnected: boolean }): JSX.Element {
  const text = words.value.teach;
  const { progress, state } = training;
  const isMoving = state === "running" && progress !== null;
  const name = progress ? (text.stageNames[progress.stage] ?? progress.stage) : text.beginning;
  const title = state === "queued" ? text.waiting : state === "cancelling" ? text.stopping : name;
  const counted = isMoving ? text.countOf(formatNumber(progress.done), formatNumber(progress.total)) : "";
  const left = isMoving && progress.left_s ? text.left(formatDuration(progress.left_s)) : "";
  return (
    <section class="card teach-stage" aria-label={text.stages}>
      <header class="card-head">
        <h2>{title}</h2>
        {!isConnected && <Badge tone="warning">{text.reconnecting}</Badge>}
      </header>
      <ProgressBar
        label={title}
        {...(isMoving ? { done: progress.done, total: progress.total } : {})}
        text={[counted, left].filter(Boolean).join(" · ")}
      />
    </section>
  );
}

function News({ notes }: { notes: readonly string[] }): JSX.Element | null {
  if (!notes.length) return null;
  return (
    <WarningNote>
      <strong>{words.value.teach.notes}</strong>
      <ul class="teach-notes">
        {notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </WarningNote>
  );
}

/** The curve: live out of the events, and whole out of the file that is there at the end. */
function Learning({ training, live }: { training: Training; live: readonly Point[] }): JSX.Element {
  const text = words.value.teach.curve;
  const file = training.files.find((each) => each.kind === "curve");
  const [whole, setWhole] = useState<readonly Point[] | null>(null);
  useEffect(() => {
    if (!file) return undefined;
    let isWanted = true;
    const take = async (): Promise<void> => {
      const answer = await blobOf(file.url);
      const points = answer.ok ? pointsOf(await answer.value.text()) : [];
      if (isWanted && points.length) setWhole(points);
    };
    void take();
    return () => {
      isWanted = false;
    };
  }, [file?.url]);
  const { progress, chosen_step: chosen = null, scores = null } = training;
  const isTraining = progress?.stage === "training";
  const numSteps = training.settings?.num_steps ?? (isTraining ? progress.total : null);
  const scored = Object.entries(scores ?? {});
  return (
    <Card title={text.title}>
      <Curve points={whole ?? live} numSteps={numSteps} chosen={chosen} />
      {chosen !== null && <p>{scored.length > 1 ? text.scored(formatNumber(chosen)) : text.chosen(formatNumber(chosen))}</p>}
      {scored.length > 1 && (
        <table class="teach-scores">
          <caption class="hidden">{text.scores}</caption>
          <thead>
            <tr>
              <th scope="col">{text.step}</th>
              <th scope="col">{text.score}</th>
            </tr>
          </thead>
          <tbody>
            {scored.map(([step, score]) => (
              <tr key={step} class={Number(step) === chosen ? "teach-best" : undefined}>
                <th scope="row">{formatNumber(Number(step))}</th>
                <td>{formatNumber(score, 2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}
