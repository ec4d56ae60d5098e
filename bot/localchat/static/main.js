// Assembles the page: shows the server's events, sends the person's actions.

import { EventFeed, act, openSession, session, upload } from "./api.js";
import { bubble, isMine, keyOf, nameOf, pendingBubble, summary } from "./bubbles.js";
import { Composer } from "./composer.js";
import { byId, el, icon } from "./dom.js";
import { currentLanguage, formatDay, t } from "./i18n.js";
import { Recorder } from "./recorder.js";
import { choosePerson, restoreSettings, setUpSettings } from "./settings.js";
import { setUpViewer } from "./viewer.js";

const ACTION_MS = 5000;
const ANSWER_WAIT_MS = 20000;
const TOAST_MS = 4500;
const NEAR_BOTTOM_PX = 120;

const list = byId("messages");
const chat = byId("chat");
const messages = new Map();
const reactions = new Map();
const waitingKeys = new Map();
const earlyAnswers = new Set(); // answers that arrive before the reply with their query id
let pressesUnderway = 0;
let profile = { name: "Notabot", commands: [], description: "" };
let actionTimer = 0;
let unread = 0;
let sticky = true;
let lastTop = 0;

// --- showing -----------------------------------------------------------------------------------

const context = {
  reactions,
  get botName() {
    return profile.name;
  },
  onCommand: (text) => sendText(text),
  onKey: pressKey,
  onMenu: openMenu,
  onShow: showMessage,
};

const nearBottom = () => chat.scrollHeight - chat.scrollTop - chat.clientHeight < NEAR_BOTTOM_PX;

function toBottom(behavior = "instant") {
  sticky = true;
  chat.scrollTo({ top: chat.scrollHeight, behavior });
}

// Only the person's scrolling stops following the newest message; growing pictures do not.
function onScroll() {
  if (nearBottom()) sticky = true;
  else if (chat.scrollTop < lastTop - 1) sticky = false;
  lastTop = chat.scrollTop;
  showUnread();
}

function groupOf(message) {
  if (!message.media_group_id) return [message];
  return [...messages.values()].filter((other) => other.media_group_id === message.media_group_id);
}

function itemOf(key) {
  return list.querySelector(`[data-key="${CSS.escape(key)}"]`);
}

function draw(message) {
  const key = keyOf(message);
  const old = itemOf(key);
  const item = bubble(groupOf(message), context);
  if (old) {
    const focused = [...old.querySelectorAll("button")].indexOf(document.activeElement);
    old.replaceWith(item);
    if (focused >= 0) item.querySelectorAll("button")[focused]?.focus();
    return;
  }
  const day = formatDay(message.date);
  const days = list.querySelectorAll(".day");
  if (days[days.length - 1]?.textContent !== day) {
    list.append(el("li", { class: "day", role: "separator" }, el("span", {}, day)));
  }
  list.append(item);
}

function drawAll() {
  const pending = [...list.querySelectorAll(".pending")];
  list.replaceChildren();
  const drawn = new Set();
  for (const message of messages.values()) {
    if (!drawn.has(keyOf(message))) draw(message);
    drawn.add(keyOf(message));
  }
  list.append(...pending);
  byId("welcome").hidden = messages.size > 0;
}

function showMessage(messageId) {
  const item = list.querySelector(`[data-ids~="${Number(messageId)}"]`);
  if (!item) return;
  item.scrollIntoView({ block: "center", behavior: "smooth" });
  item.classList.remove("flash");
  requestAnimationFrame(() => item.classList.add("flash"));
}

function showProfile() {
  document.title = profile.name;
  byId("bot-name").textContent = profile.name;
  byId("description").textContent = profile.description || t("howToBegin");
  composer.setCommands(profile.commands);
}

function showAction(action) {
  clearTimeout(actionTimer);
  const status = byId("bot-status");
  status.textContent = action ? t(action) : t("bot");
  status.classList.toggle("busy", Boolean(action));
  if (action) actionTimer = setTimeout(() => showAction(null), ACTION_MS);
}

function showUnread() {
  byId("to-bottom").hidden = sticky;
  if (sticky) unread = 0;
  byId("unread").hidden = unread === 0;
  byId("unread").textContent = String(unread);
}

function toast(text) {
  const item = el("p", { class: "toast" }, text);
  byId("toasts").append(item);
  setTimeout(() => item.remove(), TOAST_MS);
}

// --- events ------------------------------------------------------------------------------------

const handlers = {
  snapshot(event) {
    messages.clear();
    reactions.clear();
    for (const message of event.messages) messages.set(message.message_id, message);
    for (const [id, emoji] of Object.entries(event.reactions)) reactions.set(Number(id), emoji);
    profile = event.profile;
    showProfile();
    showAction(null);
    drawAll();
    toBottom();
    document.body.dataset.ready = "true";
  },
  message({ message }) {
    const follow = sticky || isMine(message);
    messages.set(message.message_id, message);
    byId("welcome").hidden = true;
    draw(message);
    if (!isMine(message)) showAction(null);
    if (follow) toBottom();
    else unread += 1;
    showUnread();
  },
  edit({ message }) {
    messages.set(message.message_id, message);
    draw(message);
  },
  delete({ message_ids: ids }) {
    for (const id of ids) messages.delete(id);
    drawAll();
  },
  reaction({ message_id: id, emoji }) {
    if (emoji) reactions.set(id, emoji);
    else reactions.delete(id);
    if (messages.has(id)) draw(messages.get(id));
  },
  action({ action }) {
    showAction(action);
  },
  answer(event) {
    const done = waitingKeys.get(event.query_id);
    if (done) done();
    else if (pressesUnderway) earlyAnswers.add(event.query_id);
    if (!event.text) return;
    if (!event.show_alert) {
      toast(event.text);
      return;
    }
    byId("alert-text").textContent = event.text;
    byId("alert").showModal();
  },
  profile(event) {
    profile = event.profile;
    showProfile();
  },
  restart() {
    if (messages.size) toast(t("restarted"));
    choosePerson();
    tellLanguage();
  },
};

const feed = new EventFeed({
  onEvent: (event) => handlers[event.type]?.(event),
  onState: (connected) => {
    byId("banner").hidden = connected;
    byId("banner").textContent = connected ? "" : t("reconnecting");
  },
});

// --- what the person does ----------------------------------------------------------------------

async function attempt(deed) {
  try {
    return await deed();
  } catch (error) {
    if (error.name !== "AbortError") toast(t("failed"));
    return null;
  }
}

function sendText(text, replyTo) {
  return attempt(() => act("text", { text, reply_to: replyTo }));
}

async function sendFile(file, values) {
  const aborter = new AbortController();
  const pending = pendingBubble(file.name, () => aborter.abort());
  list.append(pending.item);
  toBottom();
  await attempt(() => upload(file, file.name, values, { onProgress: pending.setProgress, signal: aborter.signal }));
  pending.item.remove();
}

function tellLanguage() {
  return attempt(() => act("language", { language: currentLanguage() }));
}

async function pressKey(message, button, element) {
  if (button.copy_text) {
    await copy(button.copy_text.text);
    return;
  }
  if (element.getAttribute("aria-busy") === "true") return;
  element.setAttribute("aria-busy", "true");
  const done = () => element.removeAttribute("aria-busy");
  pressesUnderway += 1;
  const result = await attempt(() => act("press", { message_id: message.message_id, data: button.callback_data }));
  pressesUnderway -= 1;
  const isAnswered = earlyAnswers.has(result?.query_id);
  if (!pressesUnderway) earlyAnswers.clear();
  if (!result || isAnswered) {
    done();
    return;
  }
  const timer = setTimeout(() => {
    waitingKeys.delete(result.query_id);
    done();
    toast(t("noAnswer"));
  }, ANSWER_WAIT_MS);
  waitingKeys.set(result.query_id, () => {
    clearTimeout(timer);
    waitingKeys.delete(result.query_id);
    done();
  });
}

async function copy(text) {
  await navigator.clipboard.writeText(text);
  toast(t("copied"));
}

function openMenu(message, anchor, pointer) {
  const menu = byId("context-menu");
  const entry = (name, symbol, deed) =>
    el("button", { type: "button", role: "menuitem", on: { click: () => { menu.hidePopover(); deed(); } } }, icon(symbol), t(name));
  const text = message.text ?? message.caption;
  menu.replaceChildren(
    entry("reply", "reply", () => composer.setReply(message, nameOf(message.from, profile.name), summary(message))),
    entry("forward", "forward", () => attempt(() => act("forward", { message_id: message.message_id }))),
    ...(text ? [entry("copy", "copy", () => copy(text))] : []),
  );
  menu.showPopover();
  const box = anchor?.getBoundingClientRect() ?? { left: pointer.clientX, bottom: pointer.clientY };
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  menu.firstElementChild.focus();
}

const composer = new Composer({ onText: sendText, onFile: sendFile, onNotice: toast });
const recorder = new Recorder({
  onRecorded: (file, duration) => sendFile(file, { kind: "voice", duration, reply_to: composer.takeReply() }),
  onOpen: (open) => {
    byId("composer").hidden = open;
    byId("recorder").hidden = !open;
    if (!open) byId("text").focus();
  },
  onUnavailable: () => toast(t("noMicrophone")),
});

byId("start-button").addEventListener("click", () => sendText("/start"));
byId("to-bottom").addEventListener("click", () => toBottom("smooth"));
chat.addEventListener("scroll", onScroll, { passive: true });
const follower = new ResizeObserver(() => {
  if (sticky) toBottom();
});
follower.observe(list);
follower.observe(chat);
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.('[role="menu"]');
  if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const items = [...menu.querySelectorAll('[role="menuitem"]')];
  const step = event.key === "ArrowDown" ? 1 : -1;
  items[(items.indexOf(event.target) + step + items.length) % items.length].focus();
  event.preventDefault();
});
addEventListener("beforeunload", () => recorder.stop(false));

setUpViewer();
setUpSettings({
  onPerson: async () => {
    composer.setReply(null);
    feed.open();
    await tellLanguage();
  },
  onLanguage: async () => {
    showAction(null);
    showProfile();
    drawAll();
    await tellLanguage();
  },
});
restoreSettings();
await openSession().then(choosePerson, () => feed.retry());
if (session.key) {
  await tellLanguage();
  feed.open();
}
