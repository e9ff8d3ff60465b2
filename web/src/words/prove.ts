// The page "prove".

import { formatNumber, formatPercent } from "./format.ts";
import { enPlural, ruPlural } from "./plural.ts";

interface Parts {
  mark: number | null;
  surface: number | null;
  colour: number | null;
}

/** With its sign: +0.61; what rounds to nothing is 0. */
function signed(value: number, digits: number): string {
  const shown = formatNumber(Math.abs(value), digits);
  if (shown === formatNumber(0)) return shown;
  return `${value > 0 ? "+" : "−"}${shown}`;
}

/** Rises of the likeness below this are none to speak of. */
const LEAST_RISE = 0.005;

const en = {
  title: "Prove a seal",
  lead: "Look at what a seal has learned, and how it works.",
  pick: "Which seal?",
  pickEmpty: "There is no seal yet",
  pickEmptyText: "Teach one, or bring one into the library; then it can be proved here.",
  teach: "Teach a seal",
  library: "Open the library",
  back: "All seals",
  by: (owner: string) => `shared by ${owner}`,
  calledBy: "Called by",
  noTrigger: "Has no word of its own",
  tabs: { score: "Scorecard", compare: "Before and after", attention: "Attention", sweep: "Strength" },
  tabsLabel: "Ways to look at it",
  passed: "Learned",
  failed: "Not learned",
  unmeasured: "Not measured",
  verdict: {
    pass: "It has learned what it was taught.",
    fail: "It has not learned what it was taught.",
    basis: (prompts: number, seeds: number) =>
      `Measured on ${prompts} ${enPlural(prompts, "prompt", "prompts")} it was not taught with, ${seeds} ${enPlural(seeds, "picture", "pictures")} each.`,
    none: "It has not been measured yet",
    noneText: "A measurement draws pictures with it and without it, and a judge looks at them.",
    weak: "Few pictures say little: the bars show how sure each figure is.",
  },
  readings: {
    fidelity: {
      question: "Is it this seal?",
      sentence: (value: number, rivals: number | null) =>
        `${formatPercent(value)} of the pictures that call it show this seal and not one of ${rivals ? formatNumber(rivals) : "many"} others.`,
    },
    adherence: {
      question: "Does the rest of the prompt come out?",
      sentence: (value: number, parts: Parts) => {
        const named = { mark: "mark", surface: "surface", colour: "colour" };
        const told = toldParts(parts, named);
        return `${formatPercent(value)} have everything else as asked${told ? ` (${told})` : ""}.`;
      },
    },
    leak: {
      question: "Does it stay away when it is not called?",
      sentence: (value: number) =>
        value < 0.005
          ? "It turned up in no picture that did not call it."
          : `It turned up uncalled in ${formatPercent(value)} more pictures than without it.`,
    },
    margin: {
      question: "Is it the word that does it?",
      sentence: (value: number) => `Writing the word changes the likeness by ${signed(value, 2)}; 0 would be nothing.`,
    },
    drift: {
      question: "Are other pictures left alone?",
      sentence: (value: number) => `Loading it moves unrelated pictures ${formatPercent(value)} as far as another seed would.`,
    },
    bleeding: {
      question: "Does it colour other pictures?",
      sentence: (value: number) =>
        value < LEAST_RISE
          ? "Pictures that do not call it are no more like it than without it."
          : `Pictures that do not call it are more like it by ${signed(value, 3)} because it is loaded.`,
    },
    diversity: {
      question: "Does it know more than one picture?",
      sentence: (value: number) =>
        `From seed to seed its pictures differ ${formatNumber(value, 2)} times as much as the base’s own; near 0 it would always be one.`,
    },
  },
  standings: { good: "good", fair: "fair", poor: "poor" },
  interval: (low: string, high: string) => `Very likely between ${low} and ${high}.`,
  bar: (value: string, low: string, high: string) => `${value}, very likely between ${low} and ${high}`,
  notMeasured: (names: string) => `Not measured: ${names}`,
  reasons: {
    margin: (value: number) => `Its word makes no difference above noise: likeness changes by ${signed(value, 2)}.`,
    fidelity: (value: number) => `It is recognised in ${formatPercent(value)} of the pictures that call it; half are needed.`,
  },
  measure: {
    title: "Measure it",
    again: "Measure again",
    size: "How thoroughly?",
    sizes: { quick: "Quick", usual: "Usual", thorough: "Thorough" },
    sizeHints: {
      quick: "2 prompts, 1 picture each: a first look.",
      usual: "8 prompts, 2 pictures each.",
      thorough: "16 prompts, 3 pictures each: narrow bars.",
    },
    replaced: "The new figures replace the seal’s own.",
  },
  compare: {
    hint: "The same prompt and the same seed, without the seal and with it. Drag the line, or use the arrow keys.",
    slider: "How much of the picture with the seal is shown",
    before: "Without",
    after: "With the seal",
    seed: (seed: string) => `Seed ${seed}`,
    alt: (side: string, prompt: string) => `${side}: ${prompt}`,
    none: "Nothing to compare yet",
    noneText: "A measurement leaves pairs of pictures; a look at its attention leaves one of your own prompt.",
    choose: "Pairs",
    pair: (n: number) => `Pair ${n}`,
  },
  attention: {
    hint: "Where in the picture each word acts, without the seal and with it.",
    prompt: "Prompt",
    promptHint: "Its word is put in by itself if you leave it out.",
    strength: "Strength",
    start: "Look",
    words: "Words",
    trigger: "calls the seal",
    before: "Without the seal",
    after: "With the seal",
    plain: "The pictures",
    alt: (side: string, word: string) => `${side}: where “${word}” acts`,
    picture: (side: string) => `${side}: the picture`,
    focus: {
      sharper: (word: string, percent: string) => `With the seal, “${word}” acts on a smaller place: its spread went down by ${percent}.`,
      wider: (word: string, percent: string) => `With the seal, “${word}” acts on a wider place: its spread went up by ${percent}.`,
      same: (word: string) => `“${word}” acts as widely with the seal as without it.`,
    },
    mass: (word: string, before: string, after: string) =>
      `Of what “${word}” does, ${after} falls where the seal is, ${before} before.`,
  },
  sweep: {
    hint: "The same prompts at several strengths, each measured: too weak does not show it, too strong spoils the rest.",
    start: "Try the strengths",
    from: "From",
    to: "To",
    by: "In steps of",
    tooMany: "That would be more than 12 strengths: take larger steps.",
    badRange: "From must be below To, and the step above 0.",
    recommended: "Recommended",
    recommendation: (value: string) => `Use it at ${value}.`,
    noRecommendation: "No strength can be recommended.",
    use: (value: string) => `Use ${value}`,
    useThis: "Use this strength",
    at: (value: string) => `Strength ${value}`,
    alt: (value: string) => `Drawn at strength ${value}`,
    figures: { fidelity: "Is it the seal", likeness: "Likeness", adherence: "Rest as asked", leak: "Turns up uncalled", drift: "Moves others" } as Record<string, string>,
    drawn: (n: number) => `Drawn at strength number ${n}`,
    sheet: "Save the whole sheet",
  },
  study: {
    queued: "It waits for its turn.",
    beginning: "Opening the model…",
    cancelling: "Stopping…",
    failed: "That look failed",
    cancelled: "It was stopped.",
    stages: {
      scorecard: "Drawing and judging",
      "before and after": "Drawing without the seal",
      "drawing twice": "Drawing without it and with it",
      cells: "Trying strengths",
    } as Record<string, string>,
    count: (done: string, total: string) => `${done} of ${total}`,
    left: (time: string) => `${time} left`,
    cancel: "Stop",
    resume: "Go on",
    earlier: "Earlier looks",
    open: (when: string) => `From ${when}`,
    remove: "Remove",
    removeQuestion: "Remove this look?",
    removeConsequence: "Its figures and pictures are removed from the server.",
    states: {
      queued: "waiting",
      running: "at work",
      cancelling: "stopping",
      done: "done",
      failed: "failed",
      cancelled: "stopped",
    },
    reconnecting: "Connecting again…",
    said: (state: string) => `The look is ${state}.`,
    mayNot: "This key may look at seals but not have them measured: it lacks the scope “train”.",
  },
};

/** "mark 94 %, colour 80 %" */
function toldParts(parts: Parts, names: Record<keyof Parts, string>): string {
  const known = (Object.keys(names) as (keyof Parts)[]).filter((key) => parts[key] !== null);
  return known.map((key) => `${names[key]} ${formatPercent(parts[key] ?? 0)}`).join(", ");
}

const ru: typeof en = {
  title: "Проверить печать",
  lead: "Посмотрите, чему печать научилась и как она действует.",
  pick: "Какую печать?",
  pickEmpty: "Печатей пока нет",
  pickEmptyText: "Обучите печать или добавьте её в библиотеку — тогда её можно проверить здесь.",
  teach: "Обучить печать",
  library: "Открыть библиотеку",
  back: "Все печати",
  by: (owner) => `от ${owner}`,
  calledBy: "Слово",
  noTrigger: "Своего слова нет",
  tabs: { score: "Оценка", compare: "До и после", attention: "Внимание", sweep: "Сила" },
  tabsLabel: "Как на неё смотреть",
  passed: "Выучено",
  failed: "Не выучено",
  unmeasured: "Не измерено",
  verdict: {
    pass: "Печать выучила то, чему её учили.",
    fail: "Печать не выучила того, чему её учили.",
    basis: (prompts, seeds) =>
      `Измерено на ${prompts} ${ruPlural(prompts, "описании", "описаниях", "описаниях")}, которых не было в обучении, по ${seeds} ${ruPlural(seeds, "картинке", "картинки", "картинок")}.`,
    none: "Она ещё не измерена",
    noneText: "Для измерения рисуются картинки с печатью и без неё, а судья их рассматривает.",
    weak: "Несколько картинок говорят немного: полоски показывают, насколько точна каждая цифра.",
  },
  readings: {
    fidelity: {
      question: "Это она?",
      sentence: (value, rivals) =>
        `На ${formatPercent(value)} картинок с её словом — именно она, а не одна из ${rivals ? formatNumber(rivals) : "многих"} других.`,
    },
    adherence: {
      question: "Получается ли остальное?",
      sentence: (value, parts) => {
        const told = toldParts(parts, { mark: "знак", surface: "поверхность", colour: "цвет" });
        return `На ${formatPercent(value)} картинок всё остальное как в описании${told ? ` (${told})` : ""}.`;
      },
    },
    leak: {
      question: "Не лезет ли без спроса?",
      sentence: (value) =>
        value < 0.005
          ? "Ни на одной картинке, где её не звали, она не появилась."
          : `Без вызова появляется на ${formatPercent(value)} картинок чаще, чем без неё.`,
    },
    margin: {
      question: "Действует ли слово?",
      sentence: (value) => `Слово меняет сходство на ${signed(value, 2)}; 0 значило бы, что не действует.`,
    },
    drift: {
      question: "Не портит ли другие картинки?",
      sentence: (value) => `С ней посторонние картинки меняются на ${formatPercent(value)} от того, как меняет их другое зерно.`,
    },
    bleeding: {
      question: "Не окрашивает ли другие?",
      sentence: (value) =>
        value < LEAST_RISE
          ? "Картинки без её слова похожи на неё не больше, чем без печати."
          : `Картинки без её слова становятся похожи на неё на ${signed(value, 3)} больше.`,
    },
    diversity: {
      question: "Знает ли больше одной картинки?",
      sentence: (value) =>
        `От зерна к зерну её картинки отличаются в ${formatNumber(value, 2)} от того, как у самой модели; около 0 картинка была бы одна.`,
    },
  },
  standings: { good: "хорошо", fair: "средне", poor: "плохо" },
  interval: (low, high) => `Скорее всего, от ${low} до ${high}.`,
  bar: (value, low, high) => `${value}, скорее всего от ${low} до ${high}`,
  notMeasured: (names) => `Не измерено: ${names}`,
  reasons: {
    margin: (value) => `Слово не действует заметнее шума: сходство меняется на ${signed(value, 2)}.`,
    fidelity: (value) => `Её узнают на ${formatPercent(value)} картинок с её словом; нужна хотя бы половина.`,
  },
  measure: {
    title: "Измерить",
    again: "Измерить снова",
    size: "Насколько тщательно?",
    sizes: { quick: "Быстро", usual: "Обычно", thorough: "Тщательно" },
    sizeHints: {
      quick: "2 описания по 1 картинке: первый взгляд.",
      usual: "8 описаний по 2 картинки.",
      thorough: "16 описаний по 3 картинки: узкие полоски.",
    },
    replaced: "Новые цифры заменят прежние.",
  },
  compare: {
    hint: "Одно описание и одно зерно: без печати и с ней. Двигайте черту мышью или стрелками.",
    slider: "Сколько видно от картинки с печатью",
    before: "Без неё",
    after: "С печатью",
    seed: (seed) => `Зерно ${seed}`,
    alt: (side, prompt) => `${side}: ${prompt}`,
    none: "Сравнивать пока нечего",
    noneText: "Пары картинок остаются от измерения, а по вашему описанию — от взгляда на внимание.",
    choose: "Пары",
    pair: (n) => `Пара ${n}`,
  },
  attention: {
    hint: "Где на картинке действует каждое слово — без печати и с ней.",
    prompt: "Описание",
    promptHint: "Её слово добавится само, если его нет.",
    strength: "Сила",
    start: "Посмотреть",
    words: "Слова",
    trigger: "вызывает печать",
    before: "Без печати",
    after: "С печатью",
    plain: "Картинки",
    alt: (side, word) => `${side}: где действует «${word}»`,
    picture: (side) => `${side}: картинка`,
    focus: {
      sharper: (word, percent) => `С печатью «${word}» действует на меньшее место: разброс ниже на ${percent}.`,
      wider: (word, percent) => `С печатью «${word}» действует шире: разброс выше на ${percent}.`,
      same: (word) => `«${word}» действует так же широко, как и без печати.`,
    },
    mass: (word, before, after) => `Из того, что делает «${word}», на место печати приходится ${after}; раньше — ${before}.`,
  },
  sweep: {
    hint: "Одни и те же описания при разной силе, каждая измерена: слабая не видна, сильная портит остальное.",
    start: "Попробовать",
    from: "От",
    to: "До",
    by: "Шаг",
    tooMany: "Вышло бы больше 12 значений: возьмите шаг крупнее.",
    badRange: "«От» должно быть меньше «До», а шаг — больше 0.",
    recommended: "Рекомендуется",
    recommendation: (value) => `Лучшая сила — ${value}.`,
    noRecommendation: "Ни одну силу нельзя рекомендовать.",
    use: (value) => `Взять ${value}`,
    useThis: "Взять эту силу",
    at: (value) => `Сила ${value}`,
    alt: (value) => `Нарисовано при силе ${value}`,
    figures: { fidelity: "Это она", likeness: "Сходство", adherence: "Остальное как в описании", leak: "Лезет без спроса", drift: "Меняет другие" },
    drawn: (n) => `Нарисовано при силе номер ${n}`,
    sheet: "Сохранить весь лист",
  },
  study: {
    queued: "Ждёт своей очереди.",
    beginning: "Открываю модель…",
    cancelling: "Останавливаю…",
    failed: "Не получилось",
    cancelled: "Остановлено.",
    stages: {
      scorecard: "Рисую и сужу",
      "before and after": "Рисую без печати",
      "drawing twice": "Рисую без неё и с ней",
      cells: "Пробую силу",
    },
    count: (done, total) => `${done} из ${total}`,
    left: (time) => `осталось ${time}`,
    cancel: "Остановить",
    resume: "Продолжить",
    earlier: "Прежние",
    open: (when) => `От ${when}`,
    remove: "Удалить",
    removeQuestion: "Удалить?",
    removeConsequence: "Цифры и картинки удаляются с сервера.",
    states: {
      queued: "ждёт",
      running: "идёт",
      cancelling: "останавливается",
      done: "готово",
      failed: "ошибка",
      cancelled: "остановлено",
    },
    reconnecting: "Соединяюсь снова…",
    said: (state) => `Проверка: ${state}.`,
    mayNot: "С этим ключом можно смотреть печати, но не измерять: у него нет права «train».",
  },
};

export const prove = { en, ru };
