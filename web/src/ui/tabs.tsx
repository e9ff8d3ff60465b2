// Tabs, as WAI-ARIA has them: arrows move, the chosen one alone is in the order of Tab.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

export interface Tab<T extends string> {
  value: T;
  text: string;
}

export function Tabs<T extends string>(props: {
  label: string;
  tabs: readonly Tab<T>[];
  value: T;
  onChange: (value: T) => void;
  /** The chosen tab's panel. */
  children: ComponentChildren;
}): JSX.Element {
  const id = useId();
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (row.current) showChosen(row.current);
  }, [props.value]);
  const choose = (index: number): void => {
    const tab = props.tabs.at(index % props.tabs.length);
    if (!tab) return;
    props.onChange(tab.value);
    row.current?.querySelector<HTMLButtonElement>(`#${CSS.escape(`${id}-${tab.value}`)}`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const now = props.tabs.findIndex((tab) => tab.value === props.value);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={props.label} ref={row} onKeyDown={onKeyDown}>
        {props.tabs.map((tab) => (
          <button
            key={tab.value}
            id={`${id}-${tab.value}`}
            class="tab"
            type="button"
            role="tab"
            aria-selected={tab.value === props.value}
            aria-controls={`${id}-panel`}
            tabIndex={tab.value === props.value ? 0 : -1}
            onClick={() => props.onChange(tab.value)}
          >
            {tab.text}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${props.value}`} class="tab-panel">
        {props.children}
      </div>
    </>
  );
}

/** Where the row is wider than the page, the chosen tab stands in its middle. */
function showChosen(row: HTMLElement): void {
  const tab = row.querySelector('[aria-selected="true"]')?.getBoundingClientRect();
  const { left, width } = row.getBoundingClientRect();
  if (tab) row.scrollLeft += tab.left - left - (width - tab.width) / 2;
}
