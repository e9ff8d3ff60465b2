// The frame around every page: where one can go, who one is, how it looks.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { hrefOf, type Page, PAGES, place } from "./router.ts";
import { type Scheme, scheme } from "./state/look.ts";
import { isTabOnly, leave, may, me, offer, session, stay, takeOffer } from "./state/session.ts";
import { Button, Dialog, ErrorNote, Icon, Select, WaxSeal } from "./ui/index.ts";
import { formatNumber } from "./words/format.ts";
import { type Language, language, LANGUAGES, words } from "./words/index.ts";

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  const text = words.value.shell;
  const main = useRef<HTMLElement>(null);
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {text.skip}
      </a>
      <header class="rail">
        <a class="brand" href={hrefOf("make")}>
          <WaxSeal size={38} />
          <span>{text.name}</span>
        </a>
        <nav class="pages" aria-label={text.navigation}>
          {PAGES.filter(isOffered).map((page) => (
            <a key={page} href={hrefOf(page)} aria-current={place.value.page === page ? "page" : undefined}>
              <Icon name={page} size={22} />
              <span>{text.pages[page]}</span>
            </a>
          ))}
        </nav>
        <Account />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <StayNote />
        <LinkNote />
        {children}
      </main>
    </div>
  );
}

/** Admin is shown to those who may; the other pages say themselves what a key lacks. */
function isOffered(page: Page): boolean {
  return page !== "admin" || may("admin");
}

function Account(): JSX.Element {
  const text = words.value.shell;
  const isOpen = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen.value) return undefined;
    const close = (event: Event): void => {
      const isOutside = event instanceof KeyboardEvent ? event.key === "Escape" : !root.current?.contains(event.target as Node);
      if (isOutside) isOpen.value = false;
    };
    addEventListener("pointerdown", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("keydown", close);
    };
  }, [isOpen.value]);
  const who = me.value;
  const name = who?.is_local ? text.local : who?.tenant.name || text.settings;
  return (
    <div class="account" ref={root}>
      <button class="account-button" type="button" aria-expanded={isOpen.value} onClick={() => (isOpen.value = !isOpen.value)}>
        <Icon name="settings" size={22} />
        <span>{name}</span>
      </button>
      {isOpen.value && (
        <div class="account-panel">
          {who && who.quota.pictures_a_day !== null && (
            <p class="fine">
              {text.picturesToday(formatNumber(who.usage.pictures_today), formatNumber(who.quota.pictures_a_day))}
            </p>
          )}
          <LookSettings />
          {session.value.is === "in" && session.value.key !== null && (
            <Button icon="out" onClick={() => void leave()}>
              {text.signOut}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** Colours and language. */
export function LookSettings(): JSX.Element {
  const text = words.value.shell;
  const schemes = (["system", "light", "dark"] as const).map((value) => ({ value, text: text.schemes[value] }));
  const languages = Object.entries(LANGUAGES).map(([value, name]) => ({ value: value as Language, text: name }));
  return (
    <div class="look">
      <Select<Scheme>
        label={text.scheme}
        value={scheme.value}
        options={schemes}
        onChange={(value) => (scheme.value = value)}
      />
      <Select<Language>
        label={text.language}
        value={language.value}
        options={languages}
        onChange={(value) => (language.value = value)}
      />
    </div>
  );
}

/** Asks once whether to keep a key that came by a link, which was shown once. */
function StayNote(): JSX.Element | null {
  const text = words.value.shell;
  const isHidden = useSignal(false);
  if (!isTabOnly.value || isHidden.value) return null;
  return (
    <div class="stay-note" role="region" aria-label={text.tabOnly}>
      <Icon name="key" />
      <span>{text.tabOnly}</span>
      <Button isSmall kind="plain" onClick={stay}>
        {text.stay}
      </Button>
      <Button isSmall kind="quiet" onClick={() => (isHidden.value = true)}>
        {text.notNow}
      </Button>
    </div>
  );
}

/** Asks before a link's key takes the place of the one that is kept, or says that it opens nothing. */
function LinkNote(): JSX.Element | null {
  const text = words.value.shell;
  const close = (): void => {
    offer.value = null;
  };
  if (offer.value === null) return null;
  if (!offer.value.ok) return <ErrorNote problem={offer.value.problem} about={text.link.about} onDismiss={close} />;
  return (
    <Dialog title={text.link.question} isOpen onClose={close} isNarrow>
      <p>{text.link.whose(offer.value.value.me.tenant.name, me.value?.tenant.name ?? "")}</p>
      <div class="actions">
        <Button onClick={takeOffer}>{text.link.take}</Button>
        <Button kind="primary" onClick={close}>
          {text.link.leave}
        </Button>
      </div>
    </Dialog>
  );
}
