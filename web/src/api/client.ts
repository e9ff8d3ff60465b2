// One way to ask the server: with the key, as JSON or a form, errors as values.

import { bad, good, type Problem, type Result } from "./problem.ts";

/** Where the key comes from and who hears that it no longer holds; set once by state/session.ts. */
export const access = {
  key: (): string | null => null,
  refused: (_problem: Problem): void => {},
};

export interface Asking {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  json?: unknown;
  form?: FormData;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** The key to use instead of the session's, to try it. */
  key?: string | null;
}

/** What is only read is asked for again, so often, when the server says that it soon may be. */
const MAX_AGAIN = 3;
const SOON_S = 5;

/** The answer, whose body is still to be read; every status but 2xx is a problem. */
export async function ask(path: string, asking: Asking = {}): Promise<Result<Response>> {
  for (let again = 0; ; again++) {
    const answer = await askOnce(path, asking);
    if (answer.ok || again === MAX_AGAIN || (asking.method ?? "GET") !== "GET") return answer;
    const { status, retryAfterS } = answer.problem;
    if (status !== 429 || retryAfterS === null || retryAfterS > SOON_S || asking.signal?.aborted) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * retryAfterS));
  }
}

async function askOnce(path: string, asking: Asking): Promise<Result<Response>> {
  const headers = new Headers(asking.headers);
  const key = asking.key === undefined ? access.key() : asking.key;
  if (key) headers.set("authorization", `Bearer ${key}`);
  let body: BodyInit | null = asking.form ?? null;
  if (asking.json !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(asking.json);
  }
  let answer: Response;
  try {
    answer = await fetch(path + queryText(asking.query), {
      method: asking.method ?? "GET",
      headers,
      body,
      signal: asking.signal ?? null,
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    return bad({ code: isAbort(error) ? "aborted" : "network", message: String(error) });
  }
  if (answer.ok) return good(answer);
  const problem = await problemOf(answer);
  if (problem.status === 401 && asking.key === undefined) access.refused(problem);
  return { ok: false, problem };
}

/** The JSON of an answer, or null where it has no body. */
export async function askJson<T>(path: string, asking: Asking = {}): Promise<Result<T>> {
  const answer = await ask(path, asking);
  if (!answer.ok) return answer;
  if (answer.value.status === 204) return good(null as T);
  try {
    return good((await answer.value.json()) as T);
  } catch (error) {
    return bad({ code: isAbort(error) ? "aborted" : "answer", message: String(error), status: answer.value.status });
  }
}

/** The bytes of an answer. */
export async function askBlob(path: string, asking: Asking = {}): Promise<Result<Blob>> {
  const answer = await ask(path, asking);
  if (!answer.ok) return answer;
  try {
    return good(await answer.value.blob());
  } catch (error) {
    return bad({ code: isAbort(error) ? "aborted" : "network", message: String(error) });
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  const status = answer.status;
  try {
    const { error } = (await answer.json()) as { error: Record<string, unknown> };
    return bad({
      code: String(error["code"] ?? "answer"),
      message: String(error["message"] ?? ""),
      remedy: String(error["remedy"] ?? ""),
      parameter: typeof error["parameter"] === "string" ? error["parameter"] : null,
      retryAfterS: typeof error["retry_after_s"] === "number" ? error["retry_after_s"] : null,
      requestId: String(error["request_id"] ?? ""),
      status,
    }).problem;
  } catch {
    return bad({ code: "answer", message: `${status} ${answer.statusText}`, status }).problem;
  }
}

/** A word as one step of a path. What a browser would take for a step upwards leads nowhere. */
export function step(word: string): string {
  return /^\.{1,2}$/.test(word) ? "-" : encodeURIComponent(word);
}

function queryText(query: Asking["query"]): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
