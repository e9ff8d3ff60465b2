// The page "make".

const en = {
  title: "Make pictures",
  lead: "Say what to draw, add a seal, and look.",
};

const ru: typeof en = {
  title: "Рисовать",
  lead: "Скажите, что нарисовать, добавьте печать и смотрите.",
};

export const make = { en, ru };
