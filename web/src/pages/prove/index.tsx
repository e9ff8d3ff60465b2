// The page "prove": which seal, or one seal.

import "./prove.css";
import type { JSX } from "preact";
import { place } from "../../router.ts";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { Pick } from "./pick.tsx";
import { SealProof } from "./seal.tsx";

export function ProvePage(): JSX.Element {
  const text = words.value.prove;
  const [id] = place.value.rest;
  if (id) return <SealProof key={id} id={id} />;
  return (
    <>
      <PageHead title={text.title} lead={text.lead} />
      <Pick />
    </>
  );
}
