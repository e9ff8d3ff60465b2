// Small parts that every page is made of.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { blobOf } from "../api/blobs.ts";
import { words } from "../words/index.ts";
import { Button } from "./button.tsx";
import { Icon } from "./icons.tsx";
import { say } from "./notes.tsx";

export function PageHead(props: { title: string; lead?: string; children?: ComponentChildren }): JSX.Element {
  return (
    <header class="page-head">
      <div>
        <h1>{props.title}</h1>
        {props.lead && <p class="lead">{props.lead}</p>}
      </div>
      {props.children && <div class="page-actions">{props.children}</div>}
    </header>
  );
}

export function Card(props: { title?: string; children: ComponentChildren; actions?: ComponentChildren }): JSX.Element {
  return (
    <section class="card">
      {(props.title || props.actions) && (
        <header class="card-head">
          {props.title && <h2>{props.title}</h2>}
          {props.actions && <div class="actions">{props.actions}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

/** How far something is; without `total`, that it is at work. */
export function ProgressBar(props: { label: string; done?: number; total?: number; text?: string }): JSX.Element {
  const isKnown = props.total !== undefined && props.total > 0;
  return (
    <div class="progress">
      <progress
        aria-label={props.label}
        {...(isKnown ? { value: Math.min(props.done ?? 0, props.total ?? 1), max: props.total } : {})}
      />
      {props.text && <span class="progress-text">{props.text}</span>}
    </div>
  );
}

export function Disclosure(props: { summary: string; isOpen?: boolean; children: ComponentChildren }): JSX.Element {
  return (
    <details class="disclosure" open={props.isOpen}>
      <summary>
        <Icon name="right" size={16} />
        {props.summary}
      </summary>
      <div class="disclosure-inside">{props.children}</div>
    </details>
  );
}

export type Tone = "plain" | "good" | "warning" | "bad" | "wax";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}

/** A picture that only the key may fetch. `fallback` stands in while it is on its way or when there is none. */
export function AuthImage(props: {
  path: string;
  alt: string;
  className?: string;
  fallback?: ComponentChildren;
  width?: number;
  height?: number;
}): JSX.Element {
  const [source, setSource] = useState<string | null>(null);
  const shown = useRef<string | null>(null);
  useEffect(() => {
    let isWanted = true;
    void blobOf(props.path).then((result) => {
      if (!isWanted || !result.ok) return;
      shown.current = URL.createObjectURL(result.value);
      setSource(shown.current);
    });
    return () => {
      isWanted = false;
      if (shown.current) URL.revokeObjectURL(shown.current);
      shown.current = null;
      setSource(null);
    };
  }, [props.path]);
  if (source === null) return <>{props.fallback ?? <PictureWait alt={props.alt} />}</>;
  return <img class={props.className} src={source} alt={props.alt} width={props.width} height={props.height} />;
}

/** The place of a picture that is on its way; one that decorates is nothing to readers of the screen. */
function PictureWait({ alt }: { alt: string }): JSX.Element {
  const named = alt ? { role: "img" as const, "aria-label": alt } : { "aria-hidden": true as const };
  return <span class="picture-wait" {...named} />;
}

export function CopyButton(props: { text: string; label: string; done: string }): JSX.Element {
  const isCopied = useSignal(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(props.text); // not there, or not allowed, at an address that is not secure
    } catch {
      say(words.value.shell.copyFailed);
      return;
    }
    isCopied.value = true;
    say(props.done);
    setTimeout(() => (isCopied.value = false), 2000);
  };
  return (
    <Button icon={isCopied.value ? "check" : "copy"} onClick={() => void copy()}>
      {props.label}
    </Button>
  );
}

/** Says to readers of the screen what changes, without showing it. */
export function Announced({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <div class="hidden" role="status" aria-live="polite">
      {children}
    </div>
  );
}

/** What a page shows to a key that may not use it. */
export function NoScope({ scope }: { scope: string }): JSX.Element {
  const text = words.value.shell;
  return (
    <div class="empty">
      <Icon name="lock" size={40} />
      <p>{text.noScope(scope)}</p>
      <p class="fine">{text.noScopeRemedy}</p>
    </div>
  );
}
