// Bringing seal files in, one after the other.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Problem } from "../../api/problem.ts";
import { importSeal } from "../../api/seals.ts";
import { loadSeals } from "../../state/seals.ts";
import { DropZone, ErrorNote, ProgressBar, say } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

interface Failure {
  file: string;
  problem: Problem;
}

export function Importing({ onImported }: { onImported: () => void }): JSX.Element {
  const text = words.value.library;
  const now = useSignal<{ name: string; done: number; total: number } | null>(null);
  const failures = useSignal<Failure[]>([]);
  const take = async (files: File[]): Promise<void> => {
    failures.value = [];
    for (const [index, file] of files.entries()) {
      now.value = { name: file.name, done: index, total: files.length };
      const answer = await importSeal(file);
      if (answer.ok) say(text.imported(answer.value.name));
      else failures.value = [...failures.value, { file: file.name, problem: answer.problem }];
    }
    now.value = null;
    void loadSeals();
    onImported();
  };
  return (
    <div class="importing">
      <DropZone
        isSmall
        isMultiple
        title={text.import}
        hint={text.importHint}
        accept=".safetensors"
        onFiles={(files) => void take(files)}
      />
      {now.value && (
        <ProgressBar
          label={text.importing(now.value.name)}
          text={text.importing(now.value.name)}
          {...(now.value.total > 1 ? { done: now.value.done, total: now.value.total } : {})}
        />
      )}
      {failures.value.map(({ file, problem }) => (
        <ErrorNote
          key={file}
          about={file}
          problem={problem}
          onDismiss={() => (failures.value = failures.value.filter((one) => one.file !== file))}
        />
      ))}
    </div>
  );
}
