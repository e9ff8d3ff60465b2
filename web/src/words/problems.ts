// Headings over what went wrong. The sentence below them is the server's own.

const en = {
  titles: {
    network: "The server does not answer",
    answer: "The server answered something unreadable",
    auth: "This key does not open anything",
    forbidden: "This key is not for that",
    quota: "That is above the quota",
    busy: "Too much is under way",
    missing: "It is not there any more",
    engine: "The engine is not ready",
  } as Record<string, string>,
  title: "That did not work",
  networkMessage: "Nothing is lost. The studio tries again by itself.",
  answerMessage: "Something between the studio and the server may have changed it.",
  retryIn: (seconds: string) => `Worth trying again in ${seconds}.`,
  requestId: (id: string) => `Request ${id}`,
  dismiss: "Dismiss",
  retry: "Try again",
};

const ru: typeof en = {
  titles: {
    network: "Сервер не отвечает",
    answer: "Ответ сервера не разобрать",
    auth: "Этот ключ ничего не открывает",
    forbidden: "Этот ключ не для этого",
    quota: "Это сверх квоты",
    busy: "Слишком много дел сразу",
    missing: "Этого больше нет",
    engine: "Движок ещё не готов",
  },
  title: "Не получилось",
  networkMessage: "Ничего не потеряно. Студия попробует снова сама.",
  answerMessage: "Возможно, что-то между студией и сервером его изменило.",
  retryIn: (seconds) => `Стоит повторить через ${seconds}.`,
  requestId: (id) => `Запрос ${id}`,
  dismiss: "Скрыть",
  retry: "Повторить",
};

export const problems = { en, ru };
