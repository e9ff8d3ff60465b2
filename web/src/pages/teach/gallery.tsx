// Pictures from on the way: the same prompts and seeds after ever more steps. The newest is shown until another is chosen.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { JobFile } from "../../api/types.ts";
import { AuthImage } from "../../ui/index.ts";
import { formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { momentsOf } from "./story.ts";

export function Gallery({ files }: { files: readonly JobFile[] }): JSX.Element {
  const text = words.value.teach.gallery;
  const chosen = useSignal<number | null>(null);
  const strip = useRef<HTMLDivElement>(null);
  const moments = momentsOf(files);
  useEffect(() => strip.current?.scrollTo({ left: strip.current.scrollWidth }), [moments.length]);
  const shown = moments.find((moment) => moment.step === chosen.value) ?? moments.at(-1);
  if (!shown) return <p class="fine">{text.none}</p>;
  return (
    <div class="teach-gallery">
      <div class="teach-shown">
        {shown.files.map((file, index) => (
          <figure key={`${index}`}>
            <AuthImage path={file.url} alt={text.alt(formatNumber(shown.step), index + 1)} />
          </figure>
        ))}
      </div>
      <div class="teach-strip" ref={strip} role="group" aria-label={text.choose}>
        {moments.map(({ step, files: [first] }) => (
          <button
            key={step}
            type="button"
            class="teach-moment"
            aria-pressed={step === shown.step}
            onClick={() => (chosen.value = step)}
          >
            {first && <AuthImage path={first.url} alt="" />}
            <span>{text.step(formatNumber(step))}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
