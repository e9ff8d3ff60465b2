// Server-sent events over fetch, since EventSource sends no key. A connection that drops is taken up again where it
// ended (`Last-Event-ID`), after 0.5 s and ever longer, up to 15 s.

import { ask } from "./client.ts";
import type { Problem } from "./problem.ts";

export interface ServerEvent {
  kind: string;
  /** Its number; 0 where the server gave none. */
  id: number;
  data: unknown;
}

export interface Listener {
  event: (event: ServerEvent) => void;
  /** It is over: the server ended the story, or will not tell it (any 4xx but 429). */
  ended: (problem: Problem | null) => void;
  /** Whether we are connected just now. */
  connected?: (isConnected: boolean) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** Listens until the story has ended or the returned function is called. `isLast` says which event ends it. */
export function follow(
  path: string,
  isLast: (event: ServerEvent) => boolean,
  listener: Listener,
  after = 0,
): () => void {
  const stop = new AbortController();
  void listen(path, isLast, listener, after, stop.signal);
  return () => stop.abort();
}

async function listen(
  path: string,
  isLast: (event: ServerEvent) => boolean,
  listener: Listener,
  after: number,
  signal: AbortSignal,
): Promise<void> {
  let [last, pause] = [after, FIRST_PAUSE_MS];
  while (!signal.aborted) {
    const answer = await ask(path, {
      headers: { accept: "text/event-stream", "last-event-id": String(last) },
      signal,
    });
    if (signal.aborted) return;
    if (answer.ok) {
      listener.connected?.(true);
      let isOver = false;
      let heardAny = false;
      for await (const event of eventsOf(answer.value)) {
        if (signal.aborted) return;
        heardAny = true;
        last = event.id || last;
        pause = FIRST_PAUSE_MS;
        listener.event(event);
        if (isLast(event)) isOver = true;
      }
      if (signal.aborted) return;
      // A server that closes without a word has nothing left to tell after `last`.
      if (isOver) return listener.ended(null);
      if (!heardAny) pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    } else if (isFinal(answer.problem)) {
      return listener.ended(answer.problem);
    }
    listener.connected?.(false);
    const asked = answer.ok ? null : answer.problem.retryAfterS;
    await delay(asked === null ? pause * (0.75 + 0.5 * Math.random()) : 1000 * asked, signal);
    if (!answer.ok) pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

function isFinal(problem: Problem): boolean {
  return problem.status >= 400 && problem.status < 500 && problem.status !== 429 && problem.status !== 408;
}

async function* eventsOf(answer: Response): AsyncGenerator<ServerEvent> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text = (text + value).replaceAll("\r\n", "\n");
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = parseEvent(text.slice(0, end));
        text = text.slice(end + 2);
        if (event) yield event;
      }
    }
  } catch {
    // The connection dropped; whoever listens connects again.
  } finally {
    void reader.cancel().catch(() => {});
  }
}

/** One event from its lines; null for comments, which keep a connection awake, and for what is no JSON. */
export function parseEvent(block: string): ServerEvent | null {
  let [kind, id] = ["message", 0];
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("event:")) kind = value;
    else if (line.startsWith("id:")) id = Number(value) || 0;
    else if (line.startsWith("data:")) data.push(value);
  }
  if (!data.length) return null;
  try {
    return { kind, id, data: JSON.parse(data.join("\n")) };
  } catch {
    return null;
  }
}

/** Resolves after a while, at once when it is called off or the network comes back. */
function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    addEventListener("online", done);
  });
}
