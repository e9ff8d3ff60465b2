// Small pictures, one of which is open.

import type { JSX } from "preact";
import { AuthImage } from "../../ui/index.ts";

export function Strip(props: {
  label: string;
  pictures: { path: string; name: string }[];
  open: number;
  onOpen: (index: number) => void;
}): JSX.Element | null {
  if (props.pictures.length < 2) return null;
  return (
    <div class="prove-strip" role="group" aria-label={props.label}>
      {props.pictures.map(({ path, name }, index) => (
        <button key={path} type="button" aria-pressed={index === props.open} aria-label={name} onClick={() => props.onOpen(index)}>
          <AuthImage path={path} alt="" />
        </button>
      ))}
    </div>
  );
}
