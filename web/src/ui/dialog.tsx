// A dialog over the page: the browser's own, which keeps the focus inside, closes with Escape and gives the focus back.

import type { ComponentChildren, JSX } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { words } from "../words/index.ts";
import { Icon } from "./icons.tsx";

interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ComponentChildren;
  isNarrow?: boolean;
  isWide?: boolean;
}

export function Dialog(props: DialogProps): JSX.Element | null {
  return props.isOpen ? <OpenDialog {...props} /> : null;
}

/** Is closed by its end, while it is still there: only then does the browser give the focus back, so the effect is one of
 *  layout. */
function OpenDialog(props: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  const size = props.isNarrow ? " dialog-narrow" : props.isWide ? " dialog-wide" : "";
  return (
    <dialog
      ref={dialog}
      class={`dialog${size}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onClick={(event) => event.target === dialog.current && props.onClose()}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={id}>{props.title}</h2>
          <button class="button button-quiet button-icon" type="button" aria-label={words.value.shell.close} onClick={props.onClose}>
            <Icon name="close" />
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
