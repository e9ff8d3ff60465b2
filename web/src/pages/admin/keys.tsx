// Keys: made, shown once, rotated, revoked.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { createKey, listKeys, revokeKey, rotateKey, type WantedKey } from "../../api/admin.ts";
import type { Problem, Result } from "../../api/problem.ts";
import type { Key, NewKey } from "../../api/types.ts";
import { Badge, Button, Checkbox, complain, ConfirmButton, CopyButton, Dialog, ErrorNote, NumberField, say, type Tone, Waiting } from "../../ui/index.ts";
import { formatAgo, formatMoment } from "../../words/format.ts";
import { words } from "../../words/index.ts";
import { NewKeyForm } from "./new-key.tsx";

const TONES: Record<Key["state"], Tone> = { valid: "good", expired: "warning", revoked: "plain" };

export function Keys(): JSX.Element {
  const text = words.value.admin;
  const keys = useSignal<Key[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const made = useSignal<NewKey | null>(null);
  const isOldShown = useSignal(false);
  const load = async (): Promise<void> => {
    const answer = await listKeys();
    problem.value = answer.ok ? null : answer.problem;
    if (answer.ok) keys.value = answer.value;
  };
  useEffect(() => void load(), []);
  const show = async (making: Promise<Result<NewKey>>): Promise<Problem | null> => {
    const answer = await making;
    if (!answer.ok) return answer.problem;
    made.value = answer.value;
    await load();
    return null;
  };
  const shown = keys.value?.filter((key) => isOldShown.value || key.state === "valid") ?? [];
  return (
    <div class="admin-part">
      <NewKeyForm onWanted={(wanted: WantedKey) => show(createKey(wanted))} />
      {problem.value && <ErrorNote problem={problem.value} onRetry={() => void load()} />}
      {keys.value === null && !problem.value && <Waiting />}
      {keys.value && (
        <>
          <Checkbox label={text.showOld} isOn={isOldShown.value} onChange={(isOn) => (isOldShown.value = isOn)} />
          {shown.length ? <Table keys={shown} onRotate={(prefix, minutes) => show(rotateKey(prefix, minutes))} onChanged={load} /> : <p>{text.noKeys}</p>}
        </>
      )}
      <Made made={made.value} onClose={() => (made.value = null)} />
    </div>
  );
}

interface TableProps {
  keys: Key[];
  onRotate: (prefix: string, keepMinutes: number) => Promise<Problem | null>;
  onChanged: () => Promise<void>;
}

function Table({ keys, onRotate, onChanged }: TableProps): JSX.Element {
  const { columns } = words.value.admin;
  return (
    <div class="table-wrap" tabIndex={0} role="region" aria-label={words.value.admin.tabs.keys}>
      <table>
        <thead>
          <tr>
            <th scope="col">{columns.key}</th>
            <th scope="col">{columns.tenant}</th>
            <th scope="col">{columns.scopes}</th>
            <th scope="col">{columns.used}</th>
            <th scope="col">{columns.expires}</th>
            <th scope="col">{columns.state}</th>
            <th scope="col">
              <span class="hidden">{columns.actions}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <Row key={key.prefix} of={key} onRotate={onRotate} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row(props: { of: Key; onRotate: TableProps["onRotate"]; onChanged: TableProps["onChanged"] }): JSX.Element {
  const text = words.value.admin;
  const key = props.of;
  const minutes = useSignal<number | null>(10);
  const revoke = async (): Promise<void> => {
    const answer = await revokeKey(key.prefix);
    if (!answer.ok) return complain(answer.problem);
    say(text.revoked(key.prefix));
    await props.onChanged();
  };
  const rotate = async (): Promise<void> => {
    const problem = await props.onRotate(key.prefix, minutes.value ?? 0);
    if (problem) complain(problem);
  };
  return (
    <tr>
      <th scope="row">
        <code>{key.prefix}</code>
        {key.name && <span class="fine">{key.name}</span>}
      </th>
      <td>{key.tenant}</td>
      <td>{key.scopes.join(", ")}</td>
      <td>{key.last_used ? formatAgo(key.last_used) : text.never}</td>
      <td>{key.expires ? formatMoment(key.expires) : text.never}</td>
      <td>
        <Badge tone={TONES[key.state]}>{text.states[key.state]}</Badge>
      </td>
      <td>
        {key.state === "valid" && (
          <div class="row-actions">
            <ConfirmButton
              isSmall
              kind="plain"
              question={text.rotateQuestion(key.prefix)}
              consequence={text.rotateConsequence}
              confirm={text.rotate}
              onConfirm={rotate}
              extra={
                <NumberField
                  label={text.keepMinutes}
                  value={minutes.value}
                  min={0}
                  max={10_000}
                  onInput={(value) => (minutes.value = value)}
                />
              }
            >
              {text.rotate}
            </ConfirmButton>
            <ConfirmButton
              isSmall
              kind="danger"
              question={text.revokeQuestion(key.prefix)}
              consequence={text.revokeConsequence}
              confirm={text.revoke}
              onConfirm={revoke}
            >
              {text.revoke}
            </ConfirmButton>
          </div>
        )}
      </td>
    </tr>
  );
}

/** A key that was just made, this once. */
function Made({ made, onClose }: { made: NewKey | null; onClose: () => void }): JSX.Element {
  const text = words.value.admin;
  return (
    <Dialog title={text.made} isOpen={made !== null} onClose={onClose}>
      <p>{text.madeText}</p>
      <p class="made-key">
        <code>{made?.key}</code>
      </p>
      <div class="actions">
        <CopyButton text={made?.key ?? ""} label={text.madeCopy} done={text.madeCopied} />
        <Button kind="primary" onClick={onClose}>
          {text.madeDone}
        </Button>
      </div>
    </Dialog>
  );
}
