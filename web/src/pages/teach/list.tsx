// The trainings there are, the newest first. While one is under way they are asked for again and again.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { isMissingRoute, type Problem } from "../../api/problem.ts";
import { listTrainings } from "../../api/trainings.ts";
import type { Training } from "../../api/types.ts";
import { hrefOf } from "../../router.ts";
import { isAtRest } from "../../state/jobs.ts";
import { Button, Card, ErrorNote, ProgressBar, Waiting } from "../../ui/index.ts";
import { formatAgo } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { StateBadge } from "./parts.tsx";

const LOOK_MS = 3000;

export function TrainingList(): JSX.Element {
  const text = words.value.teach;
  const trainings = useSignal<Training[] | null>(null);
  const next = useSignal<string | null>(null);
  const problem = useSignal<Problem | null>(null);
  const look = async (): Promise<void> => {
    const answer = await listTrainings();
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    const fresh = answer.value.trainings;
    const older = (trainings.value ?? []).filter((training) => training.created < (fresh.at(-1)?.created ?? ""));
    if (!older.length) next.value = answer.value.next;
    trainings.value = [...fresh, ...older];
  };
  useEffect(() => {
    void look();
    const timer = setInterval(() => {
      const isMoving = trainings.value?.some((training) => !isAtRest(training.state)) ?? false;
      if (!document.hidden && (isMoving || problem.value)) void look();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const more = async (): Promise<void> => {
    const answer = await listTrainings(next.value ?? undefined);
    if (!answer.ok) return void (problem.value = answer.problem);
    trainings.value = [...(trainings.value ?? []), ...answer.value.trainings];
    next.value = answer.value.next;
  };
  if (problem.value && !trainings.value) return <Card title={text.list}>{trouble(problem.value, () => void look())}</Card>;
  return (
    <Card title={text.list}>
      {trainings.value === null && <Waiting />}
      {trainings.value?.length === 0 && <p class="fine">{text.empty}</p>}
      <ul class="teach-list">
        {trainings.value?.map((training) => (
          <li key={training.id}>
            <Entry training={training} />
          </li>
        ))}
      </ul>
      {next.value && (
        <Button isSmall onClick={() => void more()}>
          {words.value.shell.showMore}
        </Button>
      )}
    </Card>
  );
}

function trouble(problem: Problem, onRetry: () => void): JSX.Element {
  // A local service trains nothing, and says so itself.
  const isLocal = problem.status === 404 && !isMissingRoute(problem);
  return <ErrorNote problem={isLocal ? { ...problem, code: "" } : problem} onRetry={isLocal ? undefined : onRetry} />;
}

function Entry({ training }: { training: Training }): JSX.Element {
  const text = words.value.teach;
  const { progress } = training;
  return (
    <a class="teach-entry" href={hrefOf("teach", [training.id])}>
      <span class="teach-entry-head">
        <strong>{training.name || training.trigger}</strong>
        <StateBadge training={training} />
      </span>
      <span class="fine">
        <code>{training.trigger}</code> · {formatAgo(training.created)}
      </span>
      {training.state === "running" && progress && (
        <ProgressBar label={text.stageNames[progress.stage] ?? progress.stage} done={progress.done} total={progress.total} />
      )}
    </a>
  );
}
