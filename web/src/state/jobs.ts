// A training or a study as the server tells it: what it is now, and all that has happened to it so far. The server is the
// truth: a page that is opened anew, or a second one, hears the whole story again.

import { useComputed, useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { follow, type ServerEvent } from "../api/events.ts";
import type { Problem, Result } from "../api/problem.ts";
import type { JobState, Progress } from "../api/types.ts";

interface Job {
  id: string;
  state: JobState;
  progress: Progress | null;
  events_url: string;
}

export interface Followed<T extends Job> {
  job: ReadonlySignal<T | null>;
  /** Why it cannot be had. */
  problem: ReadonlySignal<Problem | null>;
  events: ReadonlySignal<readonly ServerEvent[]>;
  isConnected: ReadonlySignal<boolean>;
  /** Takes an answer that says where it stands now, as of cancelling it, and listens on if it goes on. */
  take: (job: T) => void;
  reload: () => void;
}

/** Between two looks at what events tell; many come at once. */
const GATHER_MS = 120;
const LAST_KINDS = new Set(["done", "failed", "cancelled"]);
const QUIET_KINDS = new Set(["progress", "note"]);

export const isAtRest = (state: JobState): boolean => LAST_KINDS.has(state);

/** The job of an id, followed while the component is there. `get` must be one and the same function. */
export function useJob<T extends Job>(id: string, get: (id: string) => Promise<Result<T>>): Followed<T> {
  const told = useSignal<{ id: string; job: T | null; problem: Problem | null; events: readonly ServerEvent[] }>({
    id,
    job: null,
    problem: null,
    events: [],
  });
  const isConnected = useSignal(true);
  const round = useSignal(0);
  const last = useRef({ id, number: 0 });
  if (last.current.id !== id) last.current = { id, number: 0 };

  const take = (job: T): void => {
    const before = told.value.job;
    told.value = { ...told.value, job, problem: null };
    if (before && isAtRest(before.state) && !isAtRest(job.state)) round.value++;
  };

  useEffect(() => {
    if (told.value.id !== id) told.value = { id, job: null, problem: null, events: [] };
    const listening = new Listening(id, get, last.current.number, {
      job: take,
      problem: (problem) => (told.value = { ...told.value, problem }),
      events: (events) => {
        last.current.number = events.at(-1)?.id ?? last.current.number;
        told.value = { ...told.value, job: withProgress(told.value.job, events), events: [...told.value.events, ...events] };
      },
      connected: (is) => (isConnected.value = is),
    });
    return () => listening.stop();
  }, [id, round.value]);

  useEffect(() => {
    // Another tab may have resumed it meanwhile.
    const look = (): void => {
      if (told.value.job && isAtRest(told.value.job.state)) void get(id).then((answer) => answer.ok && take(answer.value));
    };
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [id]);

  const isThis = (): boolean => told.value.id === id;
  return {
    job: useComputed(() => (told.value.id === id ? told.value.job : null)),
    problem: useComputed(() => (isThis() ? told.value.problem : null)),
    events: useComputed(() => told.value.events),
    isConnected,
    take,
    reload: () => {
      told.value = { ...told.value, problem: null };
      round.value++;
    },
  };
}

interface Teller<T> {
  job: (job: T) => void;
  problem: (problem: Problem) => void;
  events: (events: ServerEvent[]) => void;
  connected: (isConnected: boolean) => void;
}

/** One connection to a job's events, and the looks at the job that they make necessary. */
class Listening<T extends Job> {
  private gathered: ServerEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isStopped = false;
  private stopFollowing: (() => void) | undefined;

  constructor(
    private readonly id: string,
    private readonly get: (id: string) => Promise<Result<T>>,
    private after: number,
    private readonly tell: Teller<T>,
  ) {
    void this.look().then((job) => job && this.begin(job));
  }

  stop(): void {
    this.isStopped = true;
    this.stopFollowing?.();
    clearTimeout(this.timer);
  }

  private begin(job: T): void {
    if (this.isStopped || (isAtRest(job.state) && this.after > 0)) return;
    this.stopFollowing = follow(
      job.events_url,
      (event) => LAST_KINDS.has(event.kind),
      {
        event: (event) => this.gather(event),
        connected: (is) => !this.isStopped && this.tell.connected(is),
        ended: (problem) => void this.ended(problem),
      },
      this.after,
    );
  }

  private gather(event: ServerEvent): void {
    this.after = event.id || this.after;
    this.gathered.push(event);
    this.timer ??= setTimeout(() => this.hand(), GATHER_MS);
  }

  /** Hands on what has come, and looks at the job itself where that changed it. */
  private hand(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isStopped || !this.gathered.length) return;
    const events = this.gathered;
    this.gathered = [];
    this.tell.events(events);
    if (events.some((event) => !QUIET_KINDS.has(event.kind))) void this.look();
  }

  /** An end that was told may lie in the past of a job that was resumed since. */
  private async ended(problem: Problem | null): Promise<void> {
    if (this.isStopped) return;
    this.hand();
    if (problem) return this.tell.problem(problem);
    const job = await this.look();
    if (job && !isAtRest(job.state)) this.begin(job);
  }

  private async look(): Promise<T | null> {
    const answer = await this.get(this.id);
    if (this.isStopped) return null;
    if (!answer.ok) {
      this.tell.problem(answer.problem);
      return null;
    }
    this.tell.job(answer.value);
    return answer.value;
  }
}

function withProgress<T extends Job>(job: T | null, events: readonly ServerEvent[]): T | null {
  const newest = events.findLast((event) => event.kind === "progress");
  return job && newest ? { ...job, progress: newest.data as Progress } : job;
}
