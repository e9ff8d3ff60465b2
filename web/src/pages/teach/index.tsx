// The page "teach": handing in and the list, or one training.

import "./teach.css";
import type { JSX } from "preact";
import { place } from "../../router.ts";
import { PageHead } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { TeachForm } from "./form.tsx";
import { TrainingList } from "./list.tsx";
import { Watch } from "./watch.tsx";

export function TeachPage(): JSX.Element {
  const text = words.value.teach;
  const [id] = place.value.rest;
  if (id) return <Watch key={id} id={id} />;
  return (
    <>
      <PageHead title={text.title} lead={text.lead} />
      <div class="teach-page">
        <TeachForm />
        <TrainingList />
      </div>
    </>
  );
}
