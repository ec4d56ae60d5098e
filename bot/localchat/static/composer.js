// The message field: text, commands, and files by menu, drop or paste.

import { session } from "./api.js";
import { byId, el } from "./dom.js";
import { formatSize, t } from "./i18n.js";

const AUDIO = /\.(mp3|m4a|aac|wav|flac|ogg|oga|opus|wma|aiff?)$/i;
const VIDEO = /\.(mp4|mov|webm|mkv|avi)$/i;
const METADATA_WAIT_MS = 3000;

function kindOf(file) {
  if (file.type.startsWith("audio/") || AUDIO.test(file.name)) return "audio";
  if (file.type.startsWith("video/") || VIDEO.test(file.name)) return "video";
  if (file.type === "image/png" || file.type === "image/jpeg") return "photo";
  return "document";
}

// Reads the details of a recording that a messenger sends along with the file.
async function probe(file, kind) {
  if (!["audio", "voice", "video", "video_note"].includes(kind)) return {};
  const element = document.createElement(kind.startsWith("video") ? "video" : "audio");
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve) => {
      element.addEventListener("loadedmetadata", resolve);
      element.addEventListener("error", resolve);
      setTimeout(resolve, METADATA_WAIT_MS);
      element.preload = "metadata";
      element.src = url;
    });
    const duration = Number.isFinite(element.duration) ? element.duration : 0;
    const width = element.videoWidth || undefined;
    const height = element.videoHeight || undefined;
    const [performer, title] = kind === "audio" ? namesIn(file.name) : [];
    return { duration, width, height, length: width && Math.min(width, height), performer, title };
  } finally {
    element.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

function namesIn(fileName) {
  const match = /^(.+?) [-–] (.+)\.[^.]+$/.exec(fileName);
  return match ? [match[1], match[2]] : [];
}

export class Composer {
  constructor({ onText, onFile, onNotice }) {
    this.onText = onText;
    this.onFile = onFile;
    this.onNotice = onNotice;
    this.commands = [];
    this.replyTo = null;
    this.selected = -1;
    this.text = byId("text");
    this.menu = byId("command-menu");
    this.setUpText();
    this.setUpCommands();
    this.setUpFiles();
  }

  setUpText() {
    this.text.addEventListener("input", () => this.refresh());
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("reply-cancel").addEventListener("click", () => this.setReply(null));
  }

  setUpCommands() {
    byId("commands-button").addEventListener("click", () => {
      if (this.menu.hidden) this.showMenu(this.commands);
      else this.hideMenu();
      this.text.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".footer")) this.hideMenu();
    });
  }

  setUpFiles() {
    const input = byId("file-input");
    byId("attach-menu").addEventListener("click", (event) => {
      const choice = event.target.closest("[data-kind]");
      if (!choice) return;
      input.dataset.kind = choice.dataset.kind;
      byId("attach-menu").hidePopover();
      input.click();
    });
    input.addEventListener("change", () => {
      this.sendFiles(input.files, input.dataset.kind ?? "auto");
      input.value = "";
      delete input.dataset.kind;
    });
    this.text.addEventListener("paste", (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.sendFiles(event.clipboardData.files, "auto");
    });
    this.setUpDrop();
  }

  setUpDrop() {
    const overlay = byId("drop");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    window.addEventListener("dragenter", (event) => {
      if (hasFiles(event)) overlay.hidden = false;
    });
    window.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      const over = event.target.closest?.(".drop [data-kind]");
      for (const zone of overlay.children) zone.classList.toggle("over", zone === over);
    });
    window.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) overlay.hidden = true;
    });
    window.addEventListener("drop", (event) => {
      overlay.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      const zone = event.target.closest?.(".drop [data-kind]");
      this.sendFiles(event.dataTransfer.files, zone?.dataset.kind ?? "auto");
    });
  }

  setCommands(commands) {
    this.commands = commands;
    byId("commands-button").hidden = !commands.length;
    this.refresh();
  }

  setReply(message, name, text) {
    this.replyTo = message;
    byId("reply-bar").hidden = !message;
    if (!message) return;
    byId("reply-name").textContent = name;
    byId("reply-text").textContent = text;
    this.text.focus();
  }

  takeReply() {
    const messageId = this.replyTo?.message_id;
    this.setReply(null);
    return messageId;
  }

  refresh() {
    const value = this.text.value;
    this.text.style.height = "auto";
    const borders = this.text.offsetHeight - this.text.clientHeight;
    this.text.style.height = `${Math.min(this.text.scrollHeight + borders, 160)}px`;
    byId("send-button").hidden = !value.trim();
    byId("record-button").hidden = Boolean(value.trim());
    const typed = /^\/(\w*)$/.exec(value);
    const found = typed && this.commands.filter(({ command }) => command.startsWith(typed[1].toLowerCase()));
    if (found?.length) this.showMenu(found);
    else this.hideMenu();
  }

  showMenu(commands) {
    if (!commands.length) return;
    this.selected = -1;
    this.menu.replaceChildren(
      ...commands.map(({ command, description }, index) =>
        el(
          "li",
          {
            id: `command-${index}`,
            role: "option",
            "aria-selected": "false",
            dataset: { command },
            on: { click: () => this.sendCommand(command) },
          },
          el("b", {}, `/${command}`),
          el("span", {}, description),
        ),
      ),
    );
    this.menu.hidden = false;
    byId("commands-button").setAttribute("aria-expanded", "true");
  }

  hideMenu() {
    this.menu.hidden = true;
    this.selected = -1;
    this.text.removeAttribute("aria-activedescendant");
    byId("commands-button").setAttribute("aria-expanded", "false");
  }

  select(index) {
    const options = [...this.menu.children];
    this.selected = (index + options.length) % options.length;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.selected)));
    options[this.selected].scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-activedescendant", options[this.selected].id);
  }

  onKey(event) {
    if (event.isComposing) return;
    const open = !this.menu.hidden;
    const chosen = open && this.selected >= 0 ? this.menu.children[this.selected].dataset.command : null;
    if (open && event.key === "ArrowDown") this.select(this.selected + 1);
    else if (open && event.key === "ArrowUp") this.select(this.selected < 0 ? -1 : this.selected - 1);
    else if (open && event.key === "Tab" && !event.shiftKey) {
      this.text.value = `/${chosen ?? this.menu.children[0].dataset.command} `;
      this.refresh();
    } else if (event.key === "Escape" && (open || this.replyTo)) {
      if (open) this.hideMenu();
      else this.setReply(null);
    } else if (event.key === "Enter" && !event.shiftKey && matchMedia("(pointer: fine)").matches) {
      if (chosen) this.sendCommand(chosen);
      else this.submit();
    } else return;
    event.preventDefault();
  }

  sendCommand(command) {
    this.text.value = "";
    this.refresh();
    this.onText(`/${command}`, this.takeReply());
    this.text.focus();
  }

  submit() {
    const value = this.text.value.trim();
    if (!value) return;
    this.text.value = "";
    this.refresh();
    this.onText(value, this.takeReply());
    this.text.focus();
  }

  async sendFiles(files, kind) {
    const caption = this.text.value.trim() || undefined;
    this.text.value = "";
    this.refresh();
    const replyTo = this.takeReply();
    for (const [index, file] of [...files].entries()) {
      if (!file.size) {
        this.onNotice(t("emptyFile", file.name));
        continue;
      }
      if (file.size > session.uploadLimit) {
        this.onNotice(t("tooLarge", file.name, formatSize(session.uploadLimit)));
        continue;
      }
      const chosen = kind === "auto" ? kindOf(file) : kind;
      const details = await probe(file, chosen);
      this.onFile(file, {
        kind: chosen,
        caption: index === 0 ? caption : undefined,
        reply_to: replyTo,
        ...details,
      });
    }
  }
}
