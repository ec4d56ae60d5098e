// The page's own texts in both languages, and their insertion into the page.
//
// Elements name their text by data-t (content), data-t-label (aria-label and tooltip) or
// data-t-placeholder. The bot chooses the language of its messages by `language_code`.

const TEXTS = {
  en: {
    bot: "bot",
    settings: "Settings: who am I, language, theme",
    whoAmI: "Who am I",
    administrator: "Administrator",
    ordinaryUser: "User",
    language: "Language",
    theme: "Theme",
    themeAuto: "Auto",
    themeLight: "Light",
    themeDark: "Dark",
    aboutPage: "A local chat that stands in for Telegram. Nothing leaves this computer, and nothing is kept after it stops.",
    messages: "Messages",
    whatCanBotDo: "What can this bot do?",
    howToBegin: "Press Start, record a voice message, or drop a song here.",
    start: "Start",
    toBottom: "Go to the newest message",
    commands: "Commands",
    attach: "Attach a file",
    attachAuto: "Audio or video",
    attachDocument: "As a file",
    attachVoice: "As a voice message",
    attachVideoNote: "As a video note",
    message: "Message",
    record: "Record a voice message",
    recordCancel: "Discard the recording",
    send: "Send",
    reply: "Reply",
    replyTo: "Reply to",
    cancelReply: "Do not reply",
    forward: "Forward to the bot",
    copy: "Copy text",
    copied: "Copied",
    download: "Download",
    messageActions: "Message actions",
    dropHere: "Drop here",
    dropAudio: "to send as audio or video",
    dropDocument: "to send as a file",
    viewer: "Pages",
    close: "Close",
    previous: "Previous page",
    next: "Next page",
    page: "Page {0} of {1}",
    photo: "Photo",
    openPhoto: "Open the photo",
    voice: "Voice message",
    audio: "Audio",
    video: "Video",
    video_note: "Video note",
    document: "File",
    play: "Play",
    pause: "Pause",
    seek: "Position",
    forwardedFrom: "Forwarded from {0}",
    you: "You",
    ok: "OK",
    cancel: "Cancel",
    sending: "Sending",
    reconnecting: "No connection. Trying again…",
    restarted: "The chat was restarted: earlier messages are gone.",
    failed: "Sending failed.",
    emptyFile: "The file “{0}” is empty.",
    tooLarge: "{0} is too large for the local chat: at most {1}.",
    noMicrophone: "The microphone is not available.",
    noAnswer: "The bot did not answer.",
    fileGone: "The file is no longer kept.",
    typing: "is typing…",
    upload_photo: "is sending a photo…",
    upload_document: "is sending a file…",
    upload_voice: "is sending a voice message…",
    record_voice: "is recording…",
    today: "Today",
    yesterday: "Yesterday",
    unread: "{0} new",
    units: ["B", "KB", "MB"],
  },
  ru: {
    bot: "бот",
    settings: "Настройки: кто я, язык, тема",
    whoAmI: "Кто я",
    administrator: "Администратор",
    ordinaryUser: "Пользователь",
    language: "Язык",
    theme: "Тема",
    themeAuto: "Авто",
    themeLight: "Светлая",
    themeDark: "Тёмная",
    aboutPage: "Местный чат вместо Telegram. Ничто не покидает этот компьютер и не хранится после остановки.",
    messages: "Сообщения",
    whatCanBotDo: "Что умеет этот бот?",
    howToBegin: "Нажмите «Начать», запишите голосовое сообщение или перетащите сюда песню.",
    start: "Начать",
    toBottom: "К последнему сообщению",
    commands: "Команды",
    attach: "Прикрепить файл",
    attachAuto: "Аудио или видео",
    attachDocument: "Как файл",
    attachVoice: "Как голосовое сообщение",
    attachVideoNote: "Как видеосообщение",
    message: "Сообщение",
    record: "Записать голосовое сообщение",
    recordCancel: "Удалить запись",
    send: "Отправить",
    reply: "Ответить",
    replyTo: "В ответ на",
    cancelReply: "Не отвечать",
    forward: "Переслать боту",
    copy: "Скопировать текст",
    copied: "Скопировано",
    download: "Скачать",
    messageActions: "Действия с сообщением",
    dropHere: "Перетащите сюда,",
    dropAudio: "чтобы отправить как аудио или видео",
    dropDocument: "чтобы отправить как файл",
    viewer: "Страницы",
    close: "Закрыть",
    previous: "Предыдущая страница",
    next: "Следующая страница",
    page: "Страница {0} из {1}",
    photo: "Фотография",
    openPhoto: "Открыть фотографию",
    voice: "Голосовое сообщение",
    audio: "Аудио",
    video: "Видео",
    video_note: "Видеосообщение",
    document: "Файл",
    play: "Слушать",
    pause: "Пауза",
    seek: "Позиция",
    forwardedFrom: "Переслано от {0}",
    you: "Вы",
    ok: "Понятно",
    cancel: "Отменить",
    sending: "Отправляется",
    reconnecting: "Нет связи. Пробуем снова…",
    restarted: "Чат запущен заново: прежних сообщений больше нет.",
    failed: "Не удалось отправить.",
    emptyFile: "Файл «{0}» пуст.",
    tooLarge: "{0}: слишком большой файл для местного чата, можно до {1}.",
    noMicrophone: "Микрофон недоступен.",
    noAnswer: "Бот не ответил.",
    fileGone: "Файл больше не хранится.",
    typing: "печатает…",
    upload_photo: "отправляет фото…",
    upload_document: "отправляет файл…",
    upload_voice: "отправляет голосовое…",
    record_voice: "записывает…",
    today: "Сегодня",
    yesterday: "Вчера",
    unread: "новых: {0}",
    units: ["Б", "КБ", "МБ"],
  },
};

let language = "en";

export const languages = Object.keys(TEXTS);

export function currentLanguage() {
  return language;
}

export function t(name, ...values) {
  const text = TEXTS[language][name] ?? name;
  return text.replace(/\{(\d)\}/g, (_, index) => String(values[Number(index)]));
}

export function setLanguage(code) {
  language = code in TEXTS ? code : "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    element.title = t(element.dataset.tLabel);
  }
  for (const element of document.querySelectorAll("[data-t-placeholder]")) {
    element.placeholder = t(element.dataset.tPlaceholder);
  }
}

export function formatSize(bytes) {
  const units = TEXTS[language].units;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  const number = value.toLocaleString(language, { maximumFractionDigits: digits });
  return `${number}\u00a0${units[unit]}`;
}

export function formatDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function formatTime(unix) {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(unix * 1000).toLocaleTimeString(language, clock);
}

export function formatDay(unix) {
  const day = new Date(unix * 1000);
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (day.toDateString() === today.toDateString()) return t("today");
  if (day.toDateString() === yesterday.toDateString()) return t("yesterday");
  return day.toLocaleDateString(language, { day: "numeric", month: "long" });
}
