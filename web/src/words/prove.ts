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
  tabs: { score: "Scorecard", compare: "Before and after", attention: "Attention", sweep: "Strength", together: "Together" },
  tabsLabel: "Ways to look at it",
  passed: "Learned",
  failed: "Not learned",
  unproven: "Not proven",
  unmeasured: "Not measured",
  verdict: {
    pass: "It has learned what it was taught.",
    fail: "It has not learned what it was taught.",
    unproven: "Nobody can say whether it has learned what it was taught.",
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
  together: {
    hint: "Two seals in one picture: whether they get on, and how they would get on better.",
    other: "Together with",
    with: (names: string) => `together with ${names}`,
    gone: "a seal that is gone",
    none: "There is no second seal to try it with",
    noneText: "Both need a word of their own, so that a prompt can call each.",
    sizeHints: { quick: "3 prompts and a short search: a first look.", usual: "8 prompts, 2 pictures each, and a search for a better way." },
    start: "Try them together",
    better: (names: string) => `${names} get on better this way.`,
    keep: (names: string) => `${names} are best left as they are.`,
    reasons: {
      better: (before: string, after: string) => `Both are found in ${after} of the pictures this way, in ${before} before.`,
      unproven: (n: number, before: string, after: string) =>
        `The best of ${n} other ${enPlural(n, "way", "ways")} did not help in pictures it was not searched with: both are found in ${after} of them, in ${before} without it.`,
      likeness: (before: string, after: string) => `The weaker one’s likeness: ${before} before, ${after} after.`,
      perhaps: "With so few pictures that may be luck.",
      found: (value: string) => `Both are found in ${value} of the pictures.`,
      nothingBetter: (n: number) => `None of ${n} other ${enPlural(n, "way", "ways")} did better.`,
      unsearched: "No other way was tried.",
      lost: (names: string) =>
        `Beside another mark, ${names} cannot be told from other emblems even alone: that is the base’s limit, or the seal’s. Go by the likeness there.`,
    },
    tags: "To paste into a prompt",
    copy: "Copy",
    copied: "The seals are copied, ready to paste.",
    use: "Use in Make",
    finds: "How often each is found",
    findsHint: "The same prompts and seeds each time. Alone, a plain emblem stands in the other one’s place.",
    alone: "Alone",
    together: "Together",
    advised: "With the advice",
    tried: "The best that was tried",
    both: "Both in one picture",
    bothHint: "How many pictures show all they call.",
    hindered: (alone: string, together: string) => `The other one is in its way: it is found in ${alone} of the pictures alone, in ${together} together.`,
    unhindered: "The other one is not in its way.",
    likeness: (value: string) => `likeness ${value}`,
    pictures: "The same prompt and seed, alone and together",
    scenes: "Prompts",
    scene: (prompt: string) => `Show: ${prompt}`,
    isAlone: (name: string) => `${name} alone`,
    shows: (names: string) => `Shows ${names}`,
    showsNone: "Shows neither",
    weights: (names: string) => `Where ${names} meet`,
    apart: "They change no layer in common, so neither disturbs the other’s weights.",
    damage: (one: string, other: string, percent: string) => `On what ${one} listens to, ${other} answers ${percent} as loudly as ${one} itself.`,
    directions: {
      same: "On the whole they push the same way.",
      against: "On the whole they push against each other.",
      neither: "On the whole they push neither with nor against each other.",
    },
    blocksHint: "How much of that lies in which block of the base. It is a prediction from weights; the pictures have the last word.",
    block: (id: string) => namedBlock(id, { in: "Input block", mid: "Middle", out: "Output block", base: "Text" }),
    layers: (n: number) => `Layer by layer: ${n === 1 ? "the worst" : `the ${n} worst`}`,
    columns: { layer: "Layer", block: "Block", share: "At each other", read: "Read alike", written: "Written alike", direction: "Direction" },
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
      together: "Drawing both together",
      searching: "Searching for a better way",
      "with the advice": "Trying the best way on other pictures",
    } as Record<string, string>,
    alone: (name: string) => `Drawing ${name} alone`,
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

/** "OUT03" as "Output block 3"; what is no U-Net's block stays as it is. */
function namedBlock(id: string, names: Record<"in" | "mid" | "out" | "base", string>): string {
  const [, side = "", number = ""] = /^(IN|MID|OUT|BASE)(\d*)$/.exec(id) ?? [];
  const name = names[side.toLowerCase() as keyof typeof names];
  return name === undefined ? id : [name, number && Number(number)].filter((part) => part !== "").join(" ");
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
  tabs: { score: "Оценка", compare: "До и после", attention: "Внимание", sweep: "Сила", together: "Вместе" },
  tabsLabel: "Как на неё смотреть",
  passed: "Выучено",
  failed: "Не выучено",
  unproven: "Не доказано",
  unmeasured: "Не измерено",
  verdict: {
    pass: "Печать выучила то, чему её учили.",
    fail: "Печать не выучила того, чему её учили.",
    unproven: "Некому сказать, выучила ли печать то, чему её учили.",
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
  together: {
    hint: "Две печати на одной картинке: уживаются ли они и как ужились бы лучше.",
    other: "Вместе с печатью",
    with: (names) => `вместе с ${names}`,
    gone: "удалённой печатью",
    none: "Второй печати для пробы нет",
    noneText: "У обеих должно быть своё слово, чтобы описание могло позвать каждую.",
    sizeHints: { quick: "3 описания и короткий поиск: первый взгляд.", usual: "8 описаний по 2 картинки и поиск лучшего способа." },
    start: "Попробовать вместе",
    better: (names) => `Так ${names} уживаются лучше.`,
    keep: (names) => `${names}: лучше оставить как есть.`,
    reasons: {
      better: (before, after) => `Так обе узнаются на ${after} картинок, прежде — на ${before}.`,
      unproven: (n, before, after) =>
        `Лучший из ${n} ${ruPlural(n, "другого способа", "других способов", "других способов")} не помог на картинках, которых не было в поиске: обе узнаются на ${after}, без него — на ${before}.`,
      likeness: (before, after) => `Сходство той, что вышла хуже: ${before} прежде, ${after} после.`,
      perhaps: "Картинок мало: возможно, это случайность.",
      found: (value) => `Обе узнаются на ${value} картинок.`,
      nothingBetter: (n) => `${ruPlural(n, "Испробован", "Испробовано", "Испробовано")} ещё ${n} ${ruPlural(n, "способ", "способа", "способов")}: лучше не вышло.`,
      unsearched: "Других способов не пробовали.",
      lost: (names) =>
        `Рядом с другим знаком ${names} не отличить от прочих эмблем даже поодиночке: это предел базы или самой печати. Здесь смотрите на сходство.`,
    },
    tags: "Вставить в описание",
    copy: "Скопировать",
    copied: "Печати скопированы, можно вставлять.",
    use: "Взять в «Рисовать»",
    finds: "Как часто узнаётся каждая",
    findsHint: "Каждый раз одни и те же описания и зёрна. Поодиночке на месте другой стоит простая эмблема.",
    alone: "Одна",
    together: "Вместе",
    advised: "По совету",
    tried: "Лучшее из испробованного",
    both: "Обе на одной картинке",
    bothHint: "На скольких картинках видны все, кого позвали.",
    hindered: (alone, together) => `Другая ей мешает: одна она узнаётся на ${alone} картинок, вместе — на ${together}.`,
    unhindered: "Другая ей не мешает.",
    likeness: (value) => `сходство ${value}`,
    pictures: "То же описание и зерно, порознь и вместе",
    scenes: "Описания",
    scene: (prompt) => `Показать: ${prompt}`,
    isAlone: (name) => `${name} одна`,
    shows: (names) => `Видно: ${names}`,
    showsNone: "Не видно ни одной",
    weights: (names) => `Где встречаются ${names}`,
    apart: "Общих слоёв у них нет, и весам друг друга они не мешают.",
    damage: (one, other, percent) => `На то, что слушает ${one}, ${other} отвечает с громкостью ${percent} от её собственной.`,
    directions: {
      same: "В целом они тянут в одну сторону.",
      against: "В целом они тянут друг против друга.",
      neither: "В целом они не тянут ни вместе, ни друг против друга.",
    },
    blocksHint: "Сколько из этого в каком блоке базы. Это предсказание по весам; последнее слово за картинками.",
    block: (id) => namedBlock(id, { in: "Входной блок", mid: "Середина", out: "Выходной блок", base: "Текст" }),
    layers: (n) => `По слоям, худшие: ${n}`,
    columns: { layer: "Слой", block: "Блок", share: "Друг у друга", read: "Читают сходно", written: "Пишут сходно", direction: "Направление" },
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
      together: "Рисую обе вместе",
      searching: "Ищу способ лучше",
      "with the advice": "Пробую лучший способ на других картинках",
    },
    alone: (name) => `Рисую ${name} без другой`,
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
