// The page "prove".

const en = {
  title: "Prove a seal",
  lead: "Look at what a seal has learned, and how it works.",
};

const ru: typeof en = {
  title: "Проверить печать",
  lead: "Посмотрите, чему печать научилась и как она действует.",
};

export const prove = { en, ru };
