// Draws Bot API messages as bubbles. An album's messages share one bubble.

import { fileUrl, session } from "./api.js";
import { el, icon } from "./dom.js";
import { formatSize, formatTime, t } from "./i18n.js";
import { player } from "./player.js";
import { richText } from "./richtext.js";
import { openViewer } from "./viewer.js";

const FAMILIES = {
  pdf: ["PDF", "red"],
  mid: ["MIDI", "violet"],
  midi: ["MIDI", "violet"],
  musicxml: ["XML", "green"],
  mxl: ["XML", "green"],
};

export const keyOf = (message) =>
  message.media_group_id ? `g${message.media_group_id}` : `m${message.message_id}`;

export const isMine = (message) => message.from.id !== session.botId;

export function summary(message) {
  const words = message.text ?? message.caption;
  if (words) return words.replace(/\s+/g, " ").slice(0, 120);
  for (const kind of ["photo", "voice", "video_note", "video"]) {
    if (message[kind]) return t(kind);
  }
  return (message.audio ?? message.document)?.file_name ?? "";
}

export const nameOf = (user, botName) => (user.id === session.botId ? botName : user.first_name);

function photo(message, album) {
  const { file_id: fileId, width, height } = message.photo.at(-1);
  const position = album.indexOf(message);
  const image = el("img", {
    src: fileUrl(fileId), width, height, alt: t("page", position + 1, album.length), loading: "lazy",
  });
  const open = () => openViewer(album.map((other) => other.photo.at(-1).file_id), position);
  return el("button", { type: "button", class: "photo", "aria-label": t("openPhoto"), on: { click: open } }, image);
}

function photos(messages) {
  const grid = el("div", { class: "photos", dataset: { count: Math.min(messages.length, 10) } });
  const { width, height } = messages[0].photo.at(-1);
  // A picture on its own is shown whole; those of an album are cut to go together.
  const ratio = messages.length === 1 ? width / height : Math.min(2.2, Math.max(0.55, width / height));
  grid.style.setProperty("--ratio", String(ratio));
  grid.append(...messages.map((message) => photo(message, messages)));
  return grid;
}

function fileRow(file) {
  const name = file.file_name || t("document");
  const suffix = name.includes(".") ? name.split(".").at(-1).toLowerCase() : "";
  const [label, family] = FAMILIES[suffix] ?? [suffix.slice(0, 4).toUpperCase(), ""];
  return el(
    "a",
    { class: "file", href: fileUrl(file.file_id, true), download: name },
    el("span", { class: `file-icon ${family}`, "aria-hidden": "true" }, label ? el("b", {}, label) : icon("file")),
    el("span", { class: "file-text" }, el("b", {}, name), el("small", {}, formatSize(file.file_size))),
    icon("save"),
  );
}

function audioRow(audio) {
  const title = [audio.performer, audio.title].filter(Boolean).join(" – ") || audio.file_name || t("audio");
  const name = audio.file_name || title;
  const save = el(
    "a",
    { class: "save", href: fileUrl(audio.file_id, true), download: name, title: formatSize(audio.file_size), "aria-label": `${t("download")}: ${name}` },
    icon("save"),
  );
  return el("div", { class: "audio" }, el("div", { class: "audio-title" }, el("b", {}, title), save), player(audio, { wave: false }));
}

function videoBox(video, round) {
  return el("video", {
    class: round ? "video round-video" : "video",
    src: fileUrl(video.file_id),
    controls: true, playsinline: true, preload: "metadata",
    "aria-label": t(round ? "video_note" : "video"),
  });
}

function content(message) {
  if (message.voice) return player(message.voice, { wave: true });
  if (message.audio) return audioRow(message.audio);
  if (message.document) return fileRow(message.document);
  if (message.video) return videoBox(message.video, false);
  if (message.video_note) return videoBox(message.video_note, true);
  return null;
}

function quote(message, context) {
  const original = message.reply_to_message;
  return el(
    "button",
    { type: "button", class: "quote", on: { click: () => context.onShow(original.message_id) } },
    el("b", {}, nameOf(original.from, context.botName)),
    el("span", {}, summary(original)),
  );
}

function keyboard(message, context) {
  const rows = message.reply_markup.inline_keyboard.map((row) =>
    el(
      "div",
      { class: "keyboard-row" },
      ...row.map((button) => {
        const url = button.url ?? button.web_app?.url;
        if (url) {
          const safe = /^(https?|tg):/i.test(url) ? url : null;
          return el("a", { class: "key", href: safe, target: "_blank", rel: "noopener noreferrer" }, button.text);
        }
        return el(
          "button",
          { type: "button", class: "key", on: { click: (event) => context.onKey(message, button, event.currentTarget) } },
          button.text,
        );
      }),
    ),
  );
  return el("div", { class: "keyboard", role: "group" }, ...rows);
}

export function bubble(messages, context) {
  const first = messages[0];
  const mine = isMine(first);
  const written = messages.filter((message) => message.text ?? message.caption);
  const body = el("div", { class: "bubble" });
  const visual = messages.every((message) => message.photo);
  if (first.forward_origin) {
    const who = first.forward_origin.sender_user;
    const name = who ? nameOf(who, context.botName) : first.forward_origin.sender_user_name;
    body.append(el("p", { class: "origin" }, t("forwardedFrom", name)));
  }
  if (first.reply_to_message) body.append(quote(first, context));
  if (visual) body.append(photos(messages));
  else body.append(...messages.map((message) => (message.photo ? photos([message]) : content(message))).filter(Boolean));
  for (const message of written) {
    const text = message.text ?? message.caption;
    const entities = message.entities ?? message.caption_entities;
    body.append(el("div", { class: "text", dir: "auto" }, ...richText(text, entities, context.onCommand)));
  }
  const last = messages.at(-1);
  const more = el(
    "button",
    { type: "button", class: "more", "aria-label": t("messageActions"), "aria-haspopup": "menu", on: { click: (event) => context.onMenu(first, event.currentTarget) } },
    icon("more"),
  );
  const time = el("time", { datetime: new Date(last.date * 1000).toISOString() }, formatTime(last.date));
  const end = body.lastElementChild?.classList.contains("text") ? body.lastElementChild : body;
  end.append(el("span", { class: "meta" }, time));
  if (visual) body.classList.add("visual");
  if (visual && !written.length) body.classList.add("bare");

  const item = el(
    "li",
    { class: mine ? "message mine" : "message", dataset: { key: keyOf(first), ids: messages.map((m) => m.message_id).join(" ") } },
    el("div", { class: "row" }, body, more),
  );
  const reaction = messages.map((message) => context.reactions.get(message.message_id)).find(Boolean);
  if (reaction) body.append(el("span", { class: "reaction" }, reaction));
  if (last.reply_markup?.inline_keyboard) item.append(keyboard(last, context));
  body.addEventListener("contextmenu", (event) => {
    if (event.target.closest("a, video, img")) return;
    event.preventDefault();
    context.onMenu(first, null, event);
  });
  return item;
}

export function pendingBubble(fileName, onCancel) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": t("sending") });
  const item = el(
    "li",
    { class: "message mine pending" },
    el(
      "div",
      { class: "row" },
      el(
        "div",
        { class: "bubble" },
        el("b", { class: "pending-name" }, fileName),
        el("div", { class: "pending-row" }, bar, el("button", { type: "button", class: "round", "aria-label": t("cancel"), on: { click: onCancel } }, icon("close"))),
      ),
    ),
  );
  return { item, setProgress: (fraction) => { bar.value = fraction; } };
}
