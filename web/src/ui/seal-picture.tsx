// A seal's picture: its own, or a rosette drawn from its name.

import type { JSX } from "preact";
import { thumbnailOf } from "../api/seals.ts";
import { Rosette } from "./mark.tsx";
import { AuthImage } from "./parts.tsx";

export function SealPicture(props: { id: string; name: string; hasPicture: boolean; isLarge?: boolean }): JSX.Element {
  const rosette = <Rosette name={props.id || props.name} />;
  return (
    <span class={`seal-picture${props.isLarge ? " seal-picture-large" : ""}`}>
      {props.hasPicture && props.id ? <AuthImage path={thumbnailOf(props.id)} alt="" fallback={rosette} /> : rosette}
    </span>
  );
}
