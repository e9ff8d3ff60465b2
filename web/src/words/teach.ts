// The page "teach".

const en = {
  title: "Teach a seal",
  lead: "Drop a logo or a handful of pictures, and watch the model learn it.",
};

const ru: typeof en = {
  title: "Обучить печать",
  lead: "Бросьте сюда логотип или несколько картинок и смотрите, как модель учится.",
};

export const teach = { en, ru };
