// What it is to be learned from: pictures, a zip or a logo, and what the server makes of them.

import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isMissingRoute, type Problem } from "../../api/problem.ts";
import { checkPictures } from "../../api/trainings.ts";
import type { PictureSet } from "../../api/types.ts";
import { zipOf } from "../../api/zip.ts";
import { Button, DropZone, ErrorNote, Icon, Waiting, WarningNote } from "../../ui/index.ts";
import { formatBytes } from "../../words/format.ts";
import { words } from "../../words/index.ts";

const ACCEPTED = ".png,.jpg,.jpeg,.webp,.gif,.svg,.zip,.txt,.caption";
const NUM_SHOWN = 11;

export interface Checked {
  facts: PictureSet | null;
  problem: Problem | null;
  isBusy: boolean;
}

/** One file as it is, several as a zip. */
export function asOne(files: readonly File[]): Promise<File> {
  const [only] = files;
  return files.length === 1 && only ? Promise.resolve(only) : zipOf(files, "pictures.zip");
}

export function Pictures({ files, checked }: { files: Signal<File[]>; checked: Signal<Checked> }): JSX.Element {
  const text = words.value.teach.pictures;
  useSignalEffect(() => {
    void check(files.value, checked);
  });
  const add = (more: File[]): void => {
    const isWhole = more.some((file) => /\.(zip|svg)$/i.test(file.name));
    files.value = isWhole ? more.slice(0, 1) : [...files.value.filter((file) => !/\.(zip|svg)$/i.test(file.name)), ...more];
  };
  const { facts, problem, isBusy } = checked.value;
  return (
    <div class="teach-pictures">
      <DropZone
        title={files.value.length ? text.dropMore : text.drop}
        hint={text.hint}
        accept={ACCEPTED}
        isMultiple
        isSmall={files.value.length > 0}
        icon="picture"
        onFiles={add}
      />
      {files.value.length > 0 && (
        <>
          <Chosen files={files.value} onRemove={(gone) => (files.value = files.value.filter((file) => file !== gone))} />
          <div class="actions">
            <span class="fine">{text.chosen(files.value.length, formatBytes(files.value.reduce((sum, file) => sum + file.size, 0)))}</span>
            <Button kind="quiet" isSmall icon="trash" onClick={() => (files.value = [])}>
              {text.clear}
            </Button>
          </div>
        </>
      )}
      <div aria-live="polite">
        {isBusy && <Waiting text={text.checking} />}
        {facts && !isBusy && <Found facts={facts} />}
      </div>
      {problem && !isBusy && <ErrorNote problem={problem} onRetry={() => void check(files.value, checked)} />}
    </div>
  );
}

async function check(files: File[], checked: Signal<Checked>): Promise<void> {
  if (!files.length) {
    checked.value = { facts: null, problem: null, isBusy: false };
    return;
  }
  const mine: Checked = { facts: null, problem: null, isBusy: true };
  checked.value = mine;
  // The word does not matter to what the pictures are.
  const answer = await checkPictures(await asOne(files), "zwx", "emblem");
  if (checked.value !== mine) return; // others were chosen meanwhile
  const isUnasked = !answer.ok && isMissingRoute(answer.problem);
  checked.value = {
    facts: answer.ok ? answer.value : null,
    problem: answer.ok || isUnasked ? null : answer.problem,
    isBusy: false,
  };
}

function Found({ facts }: { facts: PictureSet }): JSX.Element {
  const text = words.value.teach.pictures;
  const isLogo = facts.kind === "logo";
  return (
    <div class="teach-found">
      <p class="teach-good">
        <Icon name="check" size={18} />
        {isLogo ? text.logo : text.found(facts.num_pictures)}
      </p>
      {!isLogo && (facts.num_captions > 0 || facts.num_masks > 0) && (
        <p class="fine">{text.beside(facts.num_captions, facts.num_masks)}</p>
      )}
      {!isLogo && facts.num_pictures < 4 && <p class="fine">{text.few}</p>}
      {facts.warnings.length > 0 && (
        <WarningNote>
          <ul class="teach-notes">
            {facts.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </WarningNote>
      )}
    </div>
  );
}

function Chosen({ files, onRemove }: { files: File[]; onRemove: (file: File) => void }): JSX.Element {
  const text = words.value.teach.pictures;
  const isAll = useSignal(false);
  const shown = isAll.value ? files : files.slice(0, NUM_SHOWN);
  return (
    <ul class="teach-chosen">
      {shown.map((file, index) => (
        <li key={`${file.name} ${file.size} ${index}`}>
          <Thumb file={file} />
          <Button kind="quiet" isSmall icon="close" label={text.remove(file.name)} onClick={() => onRemove(file)} />
        </li>
      ))}
      {shown.length < files.length && (
        <li>
          <button class="teach-more" type="button" onClick={() => (isAll.value = true)}>
            {text.more(files.length - shown.length)}
          </button>
        </li>
      )}
    </ul>
  );
}

/** A file as small as a stamp; what no browser shows (a zip, a caption) by its name. */
function Thumb({ file }: { file: File }): JSX.Element {
  const [source, setSource] = useState<string | null>(null);
  useEffect(() => {
    if (!/\.(png|jpe?g|webp|gif|svg)$/i.test(file.name)) return undefined;
    const address = URL.createObjectURL(file);
    setSource(address);
    return () => URL.revokeObjectURL(address);
  }, [file]);
  if (source) return <img src={source} alt={file.name} title={file.name} onError={() => setSource(null)} />;
  return <span class="teach-file">{file.name}</span>;
}
