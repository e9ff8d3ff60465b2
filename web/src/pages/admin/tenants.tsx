// Tenants: how much each may, and how much of it is used.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { changeQuota, createTenant, listTenants } from "../../api/admin.ts";
import type { Problem } from "../../api/problem.ts";
import type { Quota, Tenant } from "../../api/types.ts";
import { Button, Disclosure, ErrorNote, NumberField, say, TextField, Waiting } from "../../ui/index.ts";
import { formatBytes, formatMoment, formatNumber } from "../../words/format.ts";
import { words } from "../../words/index.ts";

const GIB = 2 ** 30;

export function Tenants(): JSX.Element {
  const tenants = useSignal<Tenant[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const load = async (): Promise<void> => {
    const answer = await listTenants();
    problem.value = answer.ok ? null : answer.problem;
    if (answer.ok) tenants.value = answer.value;
  };
  useEffect(() => void load(), []);
  return (
    <div class="admin-part">
      <NewTenant onMade={() => void load()} />
      {problem.value && <ErrorNote problem={problem.value} onRetry={() => void load()} />}
      {tenants.value === null && !problem.value && <Waiting />}
      <ul class="tenants">
        {tenants.value?.map((tenant) => (
          <li key={tenant.id} class="card">
            <TenantPart tenant={tenant} onChanged={() => void load()} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function NewTenant({ onMade }: { onMade: () => void }): JSX.Element {
  const text = words.value.admin;
  const name = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const answer = await createTenant(name.value.trim());
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    say(text.tenantMade(answer.value.name));
    name.value = "";
    onMade();
  };
  return (
    <Disclosure summary={text.newTenant}>
      <form class="card form" onSubmit={(event) => void submit(event)}>
        <div class="line-form">
          <TextField label={text.tenantName} value={name.value} maxLength={100} onInput={(value) => (name.value = value)} />
          <Button kind="primary" icon="people" type="submit" isDisabled={!name.value.trim()}>
            {text.createTenant}
          </Button>
        </div>
        {problem.value && <ErrorNote problem={problem.value} />}
      </form>
    </Disclosure>
  );
}

function TenantPart({ tenant, onChanged }: { tenant: Tenant; onChanged: () => void }): JSX.Element {
  const text = words.value.admin;
  const { quota, usage } = tenant;
  return (
    <>
      <header class="card-head">
        <h2>{tenant.name}</h2>
        <span class="fine">{text.since(formatMoment(tenant.created))}</span>
      </header>
      <Used name={text.picturesADay} used={usage.pictures_today} all={quota.pictures_a_day} format={formatNumber} />
      <Used name={text.trainingsAtOnce} used={usage.trainings} all={quota.trainings_at_once} format={formatNumber} />
      <Used name={text.storage} used={usage.storage_bytes} all={quota.storage_bytes} format={formatBytes} />
      <Disclosure summary={text.changeQuota}>
        <QuotaForm key={JSON.stringify(quota)} tenant={tenant} onChanged={onChanged} />
      </Disclosure>
    </>
  );
}

function Used(props: { name: string; used: number; all: number | null; format: (value: number) => string }): JSX.Element {
  const { name, used, all, format } = props;
  return (
    <div class="used">
      <span>{name}</span>
      <meter aria-label={name} value={used} max={Math.max(1, all ?? 1)} />
      <span class="fine">{words.value.admin.usedOf(format(used), all === null ? "∞" : format(all))}</span>
    </div>
  );
}

function QuotaForm({ tenant, onChanged }: { tenant: Tenant; onChanged: () => void }): JSX.Element {
  const text = words.value.admin;
  const quota = useSignal<Quota>(tenant.quota);
  const problem = useSignal<Problem | null>(null);
  const change = (changes: Partial<Quota>): void => {
    quota.value = { ...quota.value, ...changes };
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const answer = await changeQuota(tenant.id, quota.value);
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    say(text.quotaSaved);
    onChanged();
  };
  const { pictures_a_day, trainings_at_once, storage_bytes } = quota.value;
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      <div class="form-row">
        <NumberField label={text.picturesADay} value={pictures_a_day} min={0} onInput={(value) => change({ pictures_a_day: value })} />
        <NumberField
          label={text.trainingsAtOnce}
          value={trainings_at_once}
          min={0}
          onInput={(value) => change({ trainings_at_once: value })}
        />
        <NumberField
          label={text.storageGib}
          value={storage_bytes === null ? null : storage_bytes / GIB}
          min={0}
          step="any"
          onInput={(value) => change({ storage_bytes: value === null ? null : Math.round(value * GIB) })}
        />
      </div>
      {problem.value && <ErrorNote problem={problem.value} />}
      <div class="actions">
        <Button type="submit">{text.saveQuota}</Button>
      </div>
    </form>
  );
}
