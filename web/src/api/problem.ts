// What went wrong, as a value. Every call answers with a Result; nothing here throws for what a server or network does.

export interface Problem {
  /** The server's word for it, or ours: `network`, `answer`. */
  code: string;
  /** One sentence. The server's own, where it spoke. */
  message: string;
  /** What to do about it; may be empty. */
  remedy: string;
  parameter: string | null;
  retryAfterS: number | null;
  requestId: string;
  /** Of HTTP; 0 where there was no answer. */
  status: number;
}

export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export function good<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function bad(problem: Partial<Problem> & { code: string }): { ok: false; problem: Problem } {
  const empty = { message: "", remedy: "", parameter: null, retryAfterS: null, requestId: "", status: 0 };
  return { ok: false, problem: { ...empty, ...problem } };
}

/** Whether the route itself does not exist on this server, or does not apply to it. */
export function isMissingRoute(problem: Problem): boolean {
  return problem.code === "route-missing" || problem.code === "method";
}
