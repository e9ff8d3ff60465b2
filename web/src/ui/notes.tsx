// What the studio says back: a problem with its remedy, emptiness with its way out, and short news that pass.

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { isMissingRoute, type Problem } from "../api/problem.ts";
import { formatDuration } from "../words/format.ts";
import { words } from "../words/index.ts";
import { Button } from "./button.tsx";
import { Icon } from "./icons.tsx";
import { WaxSeal } from "./mark.tsx";

/** A problem as a person reads it: heading, sentence, remedy. */
export function told(problem: Pick<Problem, "code" | "message" | "remedy">): { title: string; message: string; remedy: string } {
  const { problems, shell } = words.value;
  const whole = problem as Problem;
  if (isMissingRoute(whole)) return { title: shell.unknownRoute, message: "", remedy: shell.unknownRouteRemedy };
  const title = problems.titles[problem.code] ?? problems.title;
  const own = { network: problems.networkMessage, answer: problems.answerMessage }[problem.code];
  return { title, message: own ?? sentence(problem.message), remedy: own ? "" : sentence(problem.remedy) };
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return "";
  const begun = trimmed.slice(0, 1).toUpperCase() + trimmed.slice(1);
  return /[.!?…`)]$/.test(begun) ? begun : `${begun}.`;
}

export function ErrorNote(props: {
  problem: Pick<Problem, "code" | "message" | "remedy"> & Partial<Problem>;
  /** What it is about, where there are several. */
  about?: string;
  onRetry?: (() => void) | undefined;
  onDismiss?: (() => void) | undefined;
}): JSX.Element {
  const { title, message, remedy } = told(props.problem);
  const { retryAfterS, requestId, status = 0 } = props.problem;
  const text = words.value.problems;
  return (
    <div class="note note-error" role="alert">
      <Icon name="warning" />
      <div class="note-text">
        <strong>{props.about ? `${props.about}: ${title}` : title}</strong>
        {message && <p>{message}</p>}
        {remedy && <p class="note-remedy">{remedy}</p>}
        {retryAfterS ? <p>{text.retryIn(formatDuration(retryAfterS))}</p> : null}
        {requestId && status >= 500 && <p class="fine">{text.requestId(requestId)}</p>}
        {props.onRetry && (
          <Button isSmall icon="again" onClick={props.onRetry}>
            {text.retry}
          </Button>
        )}
      </div>
      {props.onDismiss && <Button kind="quiet" icon="close" isSmall label={text.dismiss} onClick={props.onDismiss} />}
    </div>
  );
}

export function WarningNote({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <div class="note note-warning">
      <Icon name="warning" />
      <div class="note-text">{children}</div>
    </div>
  );
}

export function EmptyState(props: { title: string; text?: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <WaxSeal size={72} />
      <h2>{props.title}</h2>
      {props.text && <p>{props.text}</p>}
      {props.children}
    </div>
  );
}

export function Waiting({ text }: { text?: string }): JSX.Element {
  return (
    <p class="waiting" role="status">
      <span class="spinner" aria-hidden="true" />
      {text ?? words.value.shell.working}
    </p>
  );
}

interface Toast {
  id: number;
  text: string;
  problem: Problem | null;
}

const toasts = signal<Toast[]>([]);
const SHOWN_MS = 6000;
let lastToast = 0;

/** Says something that passes. */
export function say(text: string): void {
  show({ id: ++lastToast, text, problem: null }, SHOWN_MS);
}

/** Says what went wrong, until it is dismissed. */
export function complain(problem: Problem): void {
  if (problem.code !== "aborted") show({ id: ++lastToast, text: "", problem }, 3 * SHOWN_MS);
}

function show(toast: Toast, ms: number): void {
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => drop(toast.id), ms);
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" aria-live="polite">
      {toasts.value.map((toast) =>
        toast.problem ? (
          <ErrorNote key={toast.id} problem={toast.problem} onDismiss={() => drop(toast.id)} />
        ) : (
          <div key={toast.id} class="note note-good">
            <Icon name="check" />
            <div class="note-text">{toast.text}</div>
          </div>
        ),
      )}
    </div>
  );
}
