// Whom a seal is shared with.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { isMissingRoute, type Problem } from "../../api/problem.ts";
import { grant, grantsOf, ungrant } from "../../api/seals.ts";
import { Button, complain, ErrorNote, say, TextField } from "../../ui/index.ts";
import { words } from "../../words/index.ts";

export function Sharing({ id }: { id: string }): JSX.Element | null {
  const text = words.value.library;
  const tenants = useSignal<string[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const isKnown = useSignal(true);
  const wanted = useSignal("");
  const load = async (): Promise<void> => {
    const answer = await grantsOf(id);
    if (answer.ok) tenants.value = answer.value;
    else if (isMissingRoute(answer.problem) || answer.problem.code === "missing") isKnown.value = false;
    else problem.value = answer.problem;
  };
  useEffect(() => void load(), [id]);
  const share = async (event: Event): Promise<void> => {
    event.preventDefault();
    const tenant = wanted.value.trim();
    const answer = await grant(id, tenant);
    problem.value = answer.ok ? null : answer.problem;
    if (!answer.ok) return;
    wanted.value = "";
    say(text.sharedWith(tenant));
    await load();
  };
  const takeBack = async (tenant: string): Promise<void> => {
    const answer = await ungrant(id, tenant);
    if (!answer.ok) return complain(answer.problem);
    say(text.unshared(tenant));
    await load();
  };
  if (!isKnown.value) return null;
  return (
    <section class="seal-part">
      <h3>{text.share}</h3>
      <p class="fine">{text.shareHint}</p>
      {tenants.value?.length === 0 && <p class="fine">{text.notShared}</p>}
      <ul class="grants">
        {(tenants.value ?? []).map((tenant) => (
          <li key={tenant}>
            <span>{tenant}</span>
            <Button isSmall kind="quiet" icon="close" label={text.unshare(tenant)} onClick={() => void takeBack(tenant)} />
          </li>
        ))}
      </ul>
      <form class="line-form" onSubmit={(event) => void share(event)}>
        <TextField label={text.shareWith} value={wanted.value} maxLength={200} onInput={(value) => (wanted.value = value)} />
        <Button type="submit" icon="share" isDisabled={!wanted.value.trim()}>
          {text.shareDo}
        </Button>
      </form>
      {problem.value && <ErrorNote problem={problem.value} />}
    </section>
  );
}
