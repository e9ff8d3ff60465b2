// Buttons, and links that look like them.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { words } from "../words/index.ts";
import { Dialog } from "./dialog.tsx";
import { Icon, type IconName } from "./icons.tsx";

export type ButtonKind = "primary" | "plain" | "quiet" | "danger";

interface ButtonProps {
  children?: ComponentChildren;
  kind?: ButtonKind;
  icon?: IconName;
  /** The name of a button that shows only its icon. */
  label?: string;
  isBusy?: boolean;
  isDisabled?: boolean;
  isSmall?: boolean;
  type?: "button" | "submit";
  pressed?: boolean;
  onClick?: (event: MouseEvent) => void;
}

export function Button(props: ButtonProps): JSX.Element {
  const { kind = "plain", icon, label, isBusy = false, isSmall = false, children } = props;
  const only = children === undefined ? " button-icon" : "";
  return (
    <button
      class={`button button-${kind}${only}${isSmall ? " button-small" : ""}`}
      type={props.type ?? "button"}
      disabled={props.isDisabled ?? false}
      aria-busy={isBusy}
      aria-label={label}
      aria-pressed={props.pressed}
      title={children === undefined ? label : undefined}
      onClick={(event) => (isBusy ? event.preventDefault() : props.onClick?.(event))}
    >
      {isBusy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} size={isSmall ? 16 : 18} />}
      {children}
    </button>
  );
}

export function LinkButton(props: {
  href: string;
  children: ComponentChildren;
  icon?: IconName;
  kind?: ButtonKind;
  isSmall?: boolean;
}): JSX.Element {
  return (
    <a class={`button button-${props.kind ?? "plain"}${props.isSmall ? " button-small" : ""}`} href={props.href}>
      {props.icon && <Icon name={props.icon} size={18} />}
      {props.children}
    </a>
  );
}

/** A button that asks before it does what cannot be undone. */
export function ConfirmButton(props: {
  children?: ComponentChildren;
  label?: string;
  icon?: IconName;
  kind?: ButtonKind;
  isSmall?: boolean;
  /** The question, and what follows from yes. */
  question: string;
  consequence: string;
  /** What else there is to say or choose before. */
  extra?: ComponentChildren;
  /** What yes is called. */
  confirm: string;
  onConfirm: () => Promise<unknown> | unknown;
}): JSX.Element {
  const isOpen = useSignal(false);
  const isBusy = useSignal(false);
  const confirm = async (): Promise<void> => {
    isBusy.value = true;
    try {
      await props.onConfirm();
    } finally {
      isBusy.value = false;
      isOpen.value = false;
    }
  };
  return (
    <>
      <Button
        kind={props.kind ?? "plain"}
        {...(props.icon ? { icon: props.icon } : {})}
        {...(props.label ? { label: props.label } : {})}
        isSmall={props.isSmall ?? false}
        onClick={() => (isOpen.value = true)}
      >
        {props.children}
      </Button>
      <Dialog title={props.question} isOpen={isOpen.value} onClose={() => (isOpen.value = false)} isNarrow>
        <p>{props.consequence}</p>
        {props.extra}
        <div class="actions">
          <Button onClick={() => (isOpen.value = false)}>{words.value.shell.cancel}</Button>
          <Button kind="danger" isBusy={isBusy.value} onClick={() => void confirm()}>
            {props.confirm}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
