// The page "library".

const en = {
  title: "Library",
  lead: "Your seals, and those that were shared with you.",
};

const ru: typeof en = {
  title: "Библиотека",
  lead: "Ваши печати и те, которыми с вами поделились.",
};

export const library = { en, ru };
