// Studies of one kind of one seal: the one that is shown, followed while it is under way, and the earlier ones.

import { useSignal, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Problem, Result } from "../../api/problem.ts";
import { cancelStudy, forgetStudy, getStudy, listStudies, resumeStudy } from "../../api/studies.ts";
import type { Study, StudyKind } from "../../api/types.ts";
import { go, hrefOf, place } from "../../router.ts";
import { isAtRest, useJob } from "../../state/jobs.ts";
import { may } from "../../state/session.ts";
import {
  Announced,
  Badge,
  Button,
  Card,
  complain,
  ConfirmButton,
  Disclosure,
  ErrorNote,
  ProgressBar,
  Waiting,
  WarningNote,
} from "../../ui/index.ts";
import { formatAgo, formatDuration, formatMoment, formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { aloneIn } from "./meeting.ts";
import type { ProveTab } from "./tabs.ts";

export interface Looks {
  studies: ReadonlySignal<Study[] | null>;
  problem: ReadonlySignal<Problem | null>;
  reload: () => void;
  /** Takes one that was just handed in, and shows it. */
  add: (study: Study) => void;
  /** Takes one's newest state. */
  update: (study: Study) => void;
  drop: (id: string) => void;
}

/** The studies of a kind that a seal is in, the newest first. */
export function useLooks(kind: StudyKind, seal: string, tab: ProveTab): Looks {
  const studies = useSignal<Study[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const reload = async (): Promise<void> => {
    const answer = await listStudies(kind);
    problem.value = answer.ok ? null : answer.problem;
    if (answer.ok) studies.value = answer.value.studies.filter((study) => study.seals.includes(seal));
  };
  useEffect(() => {
    if (may("train")) void reload();
    else studies.value = [];
  }, [kind, seal]);
  return {
    studies,
    problem,
    reload: () => void reload(),
    add: (study) => {
      studies.value = [study, ...(studies.value ?? [])];
      go("prove", [seal], { tab, study: study.id });
    },
    update: (study) => {
      studies.value = studies.value?.map((each) => (each.id === study.id ? { ...each, state: study.state } : each)) ?? null;
    },
    drop: (id) => {
      studies.value = studies.value?.filter((study) => study.id !== id) ?? null;
      go("prove", [seal], { tab }, true);
    },
  };
}

/** What there is: the study that the address names or the newest, by `children`; and links to the others. */
export function LooksView(props: {
  looks: Looks;
  seal: string;
  tab: ProveTab;
  /** What stands there when nothing was looked at yet. */
  empty: ComponentChildren;
  /** What stands below a study that is still under way. */
  meanwhile?: ((study: Study) => ComponentChildren) | undefined;
  children: (study: Study) => ComponentChildren;
  onDone?: (() => void) | undefined;
  /** What tells a study from earlier ones, beside its time. */
  about?: ((study: Study) => string) | undefined;
}): JSX.Element {
  const { looks, seal, tab } = props;
  if (looks.problem.value) return <ErrorNote problem={looks.problem.value} onRetry={looks.reload} />;
  const studies = looks.studies.value;
  if (!studies) return <Waiting />;
  const wanted = place.value.query.get("study");
  const open = studies.find((study) => study.id === wanted) ?? studies[0];
  if (!open) return <>{props.empty}</>;
  return (
    <>
      <OpenStudy key={open.id} id={open.id} looks={looks} meanwhile={props.meanwhile} onDone={props.onDone}>
        {props.children}
      </OpenStudy>
      {studies.length > 1 && <Earlier studies={studies} open={open.id} seal={seal} tab={tab} about={props.about} />}
    </>
  );
}

function OpenStudy(props: {
  id: string;
  looks: Looks;
  meanwhile: ((study: Study) => ComponentChildren) | undefined;
  children: (study: Study) => ComponentChildren;
  onDone?: (() => void) | undefined;
}): JSX.Element {
  const text = words.value.prove.study;
  const { job, problem, isConnected, take, reload } = useJob(props.id, getStudy);
  const study = job.value;
  const state = study?.state;
  const wasMoving = useSignal(false);
  useEffect(() => {
    if (!study || !state) return;
    props.looks.update(study);
    if (state === "done" && wasMoving.value) props.onDone?.();
    wasMoving.value = !isAtRest(state);
  }, [state]);
  if (!study) return problem.value ? <ErrorNote problem={problem.value} onRetry={reload} /> : <Waiting />;
  return (
    <>
      <Announced>{text.said(text.states[study.state])}</Announced>
      {study.state === "done" ? (
        <div class="prove-result">{props.children(study)}</div>
      ) : (
        <>
          <Underway study={study} isConnected={isConnected.value} take={take} />
          {props.meanwhile?.(study)}
        </>
      )}
      {isAtRest(study.state) && <Leaving study={study} looks={props.looks} />}
    </>
  );
}

function Underway(props: { study: Study; isConnected: boolean; take: (study: Study) => void }): JSX.Element {
  const text = words.value.prove.study;
  const { study } = props;
  const act = async (asked: Promise<Result<Study>>): Promise<void> => {
    const answer = await asked;
    if (answer.ok) props.take(answer.value);
    else complain(answer.problem);
  };
  if (isAtRest(study.state)) {
    return (
      <div class="prove-result">
        {study.error ? <ErrorNote problem={study.error} /> : <WarningNote>{text.cancelled}</WarningNote>}
        <div class="actions">
          <Button kind="primary" icon="again" onClick={() => void act(resumeStudy(study.id))}>
            {text.resume}
          </Button>
        </div>
      </div>
    );
  }
  const title = { queued: text.queued, cancelling: text.cancelling }[study.state as string] ?? stageOf(study);
  const progress = study.state === "running" ? study.progress : null;
  const counted = progress ? text.count(formatNumber(progress.done), formatNumber(progress.total)) : "";
  const left = progress?.left_s ? text.left(formatDuration(progress.left_s)) : "";
  return (
    <Card
      title={title}
      actions={
        <>
          {!props.isConnected && <Badge tone="warning">{text.reconnecting}</Badge>}
          {study.state !== "cancelling" && (
            <Button isSmall icon="stop" onClick={() => void act(cancelStudy(study.id))}>
              {text.cancel}
            </Button>
          )}
        </>
      }
    >
      <ProgressBar
        label={title}
        {...(progress ? { done: progress.done, total: progress.total } : {})}
        text={[counted, left].filter(Boolean).join(" · ")}
      />
    </Card>
  );
}

function stageOf(study: Study): string {
  const text = words.value.prove.study;
  if (!study.progress) return text.beginning;
  const { stage } = study.progress;
  const alone = aloneIn(stage);
  return text.stages[stage] ?? (alone === null ? stage : text.alone(alone));
}

function Leaving({ study, looks }: { study: Study; looks: Looks }): JSX.Element {
  const text = words.value.prove.study;
  const remove = async (): Promise<void> => {
    const answer = await forgetStudy(study.id);
    if (answer.ok) looks.drop(study.id);
    else complain(answer.problem);
  };
  return (
    <div class="actions prove-leaving">
      <span class="fine">{text.open(formatMoment(study.created))}</span>
      <ConfirmButton
        kind="quiet"
        isSmall
        icon="trash"
        question={text.removeQuestion}
        consequence={text.removeConsequence}
        confirm={text.remove}
        onConfirm={remove}
      >
        {text.remove}
      </ConfirmButton>
    </div>
  );
}

function Earlier(props: {
  studies: Study[];
  open: string;
  seal: string;
  tab: ProveTab;
  about: ((study: Study) => string) | undefined;
}): JSX.Element {
  const text = words.value.prove.study;
  return (
    <Disclosure summary={text.earlier}>
      <ul class="prove-earlier">
        {props.studies.map((study) => (
          <li key={study.id}>
            <a
              href={hrefOf("prove", [props.seal], { tab: props.tab, study: study.id })}
              aria-current={study.id === props.open ? "true" : undefined}
            >
              {[props.about?.(study), formatAgo(study.created), text.states[study.state]].filter(Boolean).join(", ")}
            </a>
          </li>
        ))}
      </ul>
    </Disclosure>
  );
}
