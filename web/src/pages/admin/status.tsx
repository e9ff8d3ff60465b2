// How the service is, asked anew every two seconds while somebody looks.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { getStatus } from "../../api/admin.ts";
import type { Problem } from "../../api/problem.ts";
import type { Status, Tier } from "../../api/types.ts";
import { Badge, Card, ErrorNote, Waiting, WarningNote } from "../../ui/index.ts";
import { formatBytes, formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { Sparkline } from "./sparkline.tsx";

const ASK_EVERY_MS = 2000;
const MAX_SAMPLES = 90;

export function StatusBoard(): JSX.Element {
  const text = words.value.admin;
  const status = useSignal<Status | null>(null);
  const problem = useSignal<Problem | null>(null);
  const samples = useSignal<{ perSecond: number; busy: number }[]>([]);
  useEffect(() => {
    let isOn = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      if (document.visibilityState === "visible") {
        const answer = await getStatus();
        if (!isOn) return;
        problem.value = answer.ok ? null : answer.problem;
        if (answer.ok) {
          status.value = answer.value;
          const { engine, pictures_per_s_1m } = answer.value;
          const sample = { perSecond: pictures_per_s_1m, busy: engine.drawing + engine.queued };
          samples.value = [...samples.value.slice(1 - MAX_SAMPLES), sample];
        }
      }
      timer = setTimeout(() => void ask(), ASK_EVERY_MS);
    };
    void ask();
    return () => {
      isOn = false;
      clearTimeout(timer);
    };
  }, []);
  const now = status.value;
  if (!now) return problem.value ? <ErrorNote problem={problem.value} /> : <Waiting />;
  return (
    <>
      {problem.value && <WarningNote>{text.stale}</WarningNote>}
      <div class="board">
        <Engine now={now} samples={samples.value} />
        <Jobs now={now} />
        <Workers now={now} />
        <Memory now={now} />
      </div>
      <p class="fine">{text.version(now.version)}</p>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Engine(props: { now: Status; samples: { perSecond: number; busy: number }[] }): JSX.Element {
  const text = words.value.admin;
  const { engine, orders, pictures_per_s_1m } = props.now;
  const name = `${text.perSecond} ${text.lastMinutes}`;
  return (
    <Card
      title={text.engine}
      actions={
        <Badge tone={engine.is_ready ? "good" : "warning"}>{engine.is_ready ? text.engineReady : text.engineNotReady}</Badge>
      }
    >
      <dl class="figures">
        <Figure name={text.drawing} value={formatNumber(engine.drawing)} />
        <Figure name={text.queued} value={formatNumber(engine.queued)} />
        <Figure name={text.orders} value={formatNumber(orders.open)} />
        <Figure name={text.perSecond} value={formatNumber(pictures_per_s_1m, 2)} />
      </dl>
      <Sparkline values={props.samples.map((sample) => sample.perSecond)} label={name} />
      <p class="fine">{[engine.base, text.engineStarts(engine.starts)].filter(Boolean).join(" · ")}</p>
    </Card>
  );
}

function Jobs({ now }: { now: Status }): JSX.Element {
  const text = words.value.admin;
  return (
    <Card title={text.jobs}>
      {now.jobs ? (
        <dl class="figures">
          <Figure name={text.jobsRunning} value={formatNumber(now.jobs.running)} />
          <Figure name={text.jobsQueued} value={formatNumber(now.jobs.queued)} />
          <Figure name={text.jobsFailed} value={formatNumber(now.jobs.failed_today)} />
        </dl>
      ) : (
        <p class="fine">{text.noJobs}</p>
      )}
    </Card>
  );
}

function Workers({ now }: { now: Status }): JSX.Element {
  const text = words.value.admin;
  return (
    <Card title={text.workers}>
      {!now.workers.length && <p class="fine">{text.noWorkers}</p>}
      <ul class="plain-list">
        {now.workers.map((worker, index) => (
          <li key={index}>
            <span>{text.worker(worker.pid === null ? "–" : String(worker.pid))}</span>
            <Badge tone={worker.state === "running" ? "good" : "warning"}>{text.workerStates[worker.state]}</Badge>
            <span class="fine">{text.restarts(worker.restarts)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Memory({ now }: { now: Status }): JSX.Element {
  const text = words.value.admin;
  const tiers: [string, Tier | null][] = [
    [text.tiers.pool, now.engine.pool],
    [text.tiers.ram, now.engine.tiers.ram],
    [text.tiers.disk, now.engine.tiers.disk],
  ];
  return (
    <Card title={text.memory}>
      <ul class="plain-list">
        {tiers.map(([name, tier]) => tier && <TierRow key={name} name={name} tier={tier} />)}
      </ul>
    </Card>
  );
}

function TierRow({ name, tier }: { name: string; tier: Tier }): JSX.Element {
  const text = words.value.admin;
  return (
    <li class="tier">
      <span>{name}</span>
      <meter aria-label={name} value={tier.used_bytes} max={Math.max(1, tier.total_bytes)} />
      <span class="fine">
        {text.tierUse(formatBytes(tier.used_bytes), formatBytes(tier.total_bytes))} · {text.tierSeals(tier.seals)}
      </span>
    </li>
  );
}
