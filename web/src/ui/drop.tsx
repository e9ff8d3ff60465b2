// A place to drop files on, or to choose them by pressing it.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { Icon, type IconName } from "./icons.tsx";

export function DropZone(props: {
  title: string;
  hint: string;
  /** As the attribute of a file input: `.png,image/*`. */
  accept: string;
  isMultiple?: boolean;
  isSmall?: boolean;
  icon?: IconName;
  onFiles: (files: File[]) => void;
}): JSX.Element {
  const id = useId();
  const isOver = useSignal(false);
  const taken = (list: FileList | null | undefined): void => {
    const files = [...(list ?? [])];
    if (files.length) props.onFiles(props.isMultiple ? files : files.slice(0, 1));
  };
  return (
    <label
      class={`drop${isOver.value ? " drop-over" : ""}${props.isSmall ? " drop-small" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        isOver.value = false;
        taken(event.dataTransfer?.files);
      }}
    >
      <input
        class="hidden"
        type="file"
        accept={props.accept}
        multiple={props.isMultiple}
        aria-describedby={id}
        onChange={(event) => {
          taken(event.currentTarget.files);
          event.currentTarget.value = "";
        }}
      />
      <Icon name={props.icon ?? "upload"} size={props.isSmall ? 20 : 28} />
      <span class="drop-title">{props.title}</span>
      <span id={id} class="drop-hint">
        {props.hint}
      </span>
    </label>
  );
}
