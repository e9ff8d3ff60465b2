// What a new key is to open, and for whom.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { listTenants, type WantedKey } from "../../api/admin.ts";
import type { Problem } from "../../api/problem.ts";
import type { Scope, Tenant } from "../../api/types.ts";
import { me } from "../../state/session.ts";
import { Button, Checkbox, Disclosure, ErrorNote, NumberField, Select, TextField } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

const SCOPES: readonly Scope[] = ["generate", "train", "admin"];

export function NewKeyForm({ onWanted }: { onWanted: (wanted: WantedKey) => Promise<Problem | null> }): JSX.Element {
  const text = words.value.admin;
  const tenants = useSignal<Tenant[]>([]);
  const tenant = useSignal(me.value?.tenant.name ?? "");
  const name = useSignal("");
  const days = useSignal<number | null>(null);
  const scopes = useSignal<Scope[]>(["generate", "train"]);
  const problem = useSignal<Problem | null>(null);
  const isBusy = useSignal(false);
  useEffect(() => {
    void listTenants().then((answer) => {
      if (answer.ok) tenants.value = answer.value;
    });
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    isBusy.value = true;
    const wanted = { tenant: tenant.value, scopes: scopes.value, name: name.value.trim() };
    problem.value = await onWanted(days.value === null ? wanted : { ...wanted, days: days.value });
    isBusy.value = false;
    if (!problem.value) name.value = "";
  };
  const toggle = (scope: Scope, isOn: boolean): void => {
    scopes.value = SCOPES.filter((one) => (one === scope ? isOn : scopes.value.includes(one)));
  };
  const names = tenants.value.map((one) => one.name);
  const all = names.includes(tenant.value) ? names : [tenant.value, ...names];
  return (
    <Disclosure summary={text.newKey}>
      <form class="card form" onSubmit={(event) => void submit(event)}>
        <div class="form-row">
          <Select
            label={text.keyTenant}
            value={tenant.value}
            options={all.map((value) => ({ value, text: value }))}
            onChange={(value) => (tenant.value = value)}
          />
          <TextField
            label={text.keyName}
            hint={text.keyNameHint}
            value={name.value}
            maxLength={100}
            onInput={(value) => (name.value = value)}
          />
          <NumberField label={text.days} hint={text.daysHint} value={days.value} min={1} max={3650} onInput={(value) => (days.value = value)} />
        </div>
        <fieldset class="scopes">
          <legend class="field-label">{text.scopes}</legend>
          {SCOPES.map((scope) => (
            <Checkbox
              key={scope}
              label={text.scopeWords[scope]}
              isOn={scopes.value.includes(scope)}
              onChange={(isOn) => toggle(scope, isOn)}
            />
          ))}
        </fieldset>
        {problem.value && <ErrorNote problem={problem.value} />}
        <div class="actions">
          <Button kind="primary" icon="key" type="submit" isBusy={isBusy.value} isDisabled={!scopes.value.length}>
            {text.createKey}
          </Button>
        </div>
      </form>
    </Disclosure>
  );
}
