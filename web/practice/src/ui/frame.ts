/** The frame around the score: title, transport, panel and messages. */

import type { App } from "../app.ts";
import { beatLength } from "../audio/metronome.ts";
import { CLICK } from "../audio/mixer.ts";
import { SPEEDS } from "../audio/player.ts";
import { h, toggle } from "./dom.ts";
import { type IconName, icon } from "./icons.ts";
import { buildPanel, type PanelName } from "./panels.ts";

/** Signs for the beats that metronome marks count, by their length in quarters. */
const BEATS: Readonly<Record<number, string>> = { 0.5: "♪", 1: "♩", 1.5: "♩.", 2: "𝅗𝅥" };

/** How long a message stays, in milliseconds. */
const MESSAGE_MS = 6000;

/** Places of the scrubber that are told apart: about the pixels of a wide screen. */
const SCRUBBER_STEPS = 1500;

const PANEL_ICONS: Record<PanelName, IconName> = {
  mixer: "mixer",
  page: "page",
  fix: "fix",
  more: "more",
};

export class Frame {
  readonly scroller: HTMLElement;
  readonly #root: HTMLElement;
  readonly #message = h("div", { class: "message", attributes: { role: "status" } });
  readonly #announcement = h("div", { class: "unseen", attributes: { "aria-live": "polite" } });
  readonly #panel = h("aside", { class: "panel", attributes: { hidden: true } });
  #app: App | null = null;
  #open: PanelName | null = null;
  #messageTimer: ReturnType<typeof setTimeout> | undefined;
  #title = h("h1", {});
  #undo = h("button", {});
  #redo = h("button", {});
  #send = h("button", {});
  #play = h("button", { class: "play" });
  #loop = h("button", {});
  #click = h("button", {});
  #edit = h("button", {});
  #speed = h("button", { class: "speed" });
  #speedPanel = h("div", { class: "speed-panel", attributes: { hidden: true } });
  #scrubber = h("input", { class: "scrubber", attributes: { type: "range", step: "any" } });
  /** Of the score, where the scrubber is drawn. */
  #share = 0;
  #place = h("span", { class: "place" });
  #tabs = new Map<PanelName, HTMLButtonElement>();

  /** @param root - the element that the page fills */
  constructor(root: HTMLElement) {
    this.#root = root;
    this.scroller = h("main", { class: "scroller", attributes: { tabindex: 0 } });
    root.replaceChildren(this.scroller, this.#message);
  }

  /** Build the controls. */
  build(app: App, noteBar: HTMLElement): void {
    this.#app = app;
    const { texts, player } = app;
    this.scroller.setAttribute("aria-label", texts.score);
    const button = (element: HTMLButtonElement, label: string, name: IconName, act: () => void) => {
      element.type = "button";
      element.title = label;
      element.setAttribute("aria-label", label);
      element.replaceChildren(icon(name));
      element.onclick = act;
      return element;
    };
    this.#scrubber.setAttribute("aria-label", texts.position);
    this.#scrubber.oninput = () => {
      player.seek(this.#scrubber.valueAsNumber);
      app.sheet.reveal(this.#scrubber.valueAsNumber);
    };
    this.#speed.type = "button";
    this.#speed.onclick = () => this.#toggleSpeed();
    const start = button(h("button", {}), texts.toStart, "start", () => {
      player.seek(app.player.passage ? loopStart(app) : 0);
      app.sheet.reveal(0);
    });
    const panels: PanelName[] = app.canEdit
      ? ["mixer", "page", "fix", "more"]
      : ["mixer", "page", "more"];
    const names = {
      mixer: texts.mixer,
      page: texts.display,
      fix: texts.fix,
      more: texts.more,
    };
    for (const name of panels) {
      const tab = button(h("button", { class: "tab" }), names[name], PANEL_ICONS[name], () =>
        this.openPanel(this.#open === name ? null : name),
      );
      tab.append(h("span", {}, names[name]));
      this.#tabs.set(name, tab);
    }
    this.#root.replaceChildren(
      h(
        "header",
        { class: "top" },
        this.#title,
        app.canEdit ? button(this.#undo, texts.undo, "undo", () => app.undo()) : null,
        app.canEdit ? button(this.#redo, texts.redo, "redo", () => app.redo()) : null,
        app.canEdit ? button(this.#send, texts.send, "send", () => void app.send()) : null,
      ),
      this.scroller,
      this.#panel,
      noteBar,
      h(
        "footer",
        { class: "transport", label: texts.play, attributes: { role: "group" } },
        this.#scrubber,
        this.#speedPanel,
        h(
          "div",
          { class: "controls" },
          start,
          button(this.#play, texts.play, "play", () => app.togglePlaying()),
          this.#place,
          this.#speed,
          button(this.#loop, `${texts.loop}. ${texts.loopHint}`, "loop", () => app.toggleLoop()),
          button(this.#click, texts.metronome, "metronome", () => app.toggleMetronome()),
          app.canEdit ? button(this.#edit, texts.edit, "edit", () => app.toggleEditing()) : null,
        ),
        h("nav", { class: "tabs", label: texts.more, attributes: {} }, ...this.#tabs.values()),
      ),
      this.#message,
      this.#announcement,
    );
    this.#root.dataset.ready = "";
    if (matchMedia("(min-width: 1360px)").matches) this.openPanel("mixer");
  }

  /** Show what the player and the score are like now. */
  update(): void {
    const app = this.#app;
    if (app === null) return;
    const { texts, player, score } = app;
    this.#title.textContent = score.title;
    this.#undo.disabled = !score.can_undo;
    this.#redo.disabled = !score.can_redo;
    this.#send.hidden = !score.can_send;
    const label = player.isPlaying ? texts.pause : texts.play;
    if (this.#play.title !== label) {
      this.#play.title = label;
      this.#play.setAttribute("aria-label", label);
      this.#play.replaceChildren(icon(player.isPlaying ? "pause" : "play"));
    }
    const speed = `${Math.round(player.speed * 100)} %`;
    this.#speed.textContent = speed;
    this.#speed.setAttribute("aria-label", `${texts.speed}: ${speed}`);
    press(this.#loop, player.passage !== null);
    press(this.#click, !player.tracks.find(({ id }) => id === CLICK)?.isMuted);
    press(this.#edit, app.isEditing);
    if (this.#scrubber.max !== String(app.index.end)) {
      this.#scrubber.max = String(app.index.end);
      this.#share = Number.NaN;
    }
  }

  /** Show where the music is. */
  setPosition(quarters: number): void {
    const app = this.#app;
    if (app === null) return;
    const measure = app.score.measures[app.index.measureAt(quarters)];
    const text = app.texts.bar(measure?.number ?? "");
    if (this.#place.textContent !== text) {
      this.#place.textContent = text;
      this.#scrubber.setAttribute("aria-valuetext", text);
    }
    // Drawn only when it is seen to move: the browser would lay out and layer the page in each frame.
    const share = Math.round((SCRUBBER_STEPS * quarters) / (app.index.end || 1)) / SCRUBBER_STEPS;
    if (share === this.#share) return;
    this.#share = share;
    if (document.activeElement !== this.#scrubber || app.player.isPlaying) {
      this.#scrubber.value = String(quarters);
    }
    this.#scrubber.style.setProperty("--share", String(share));
  }

  setEditing(isOn: boolean): void {
    this.#root.classList.toggle("editing", isOn);
    press(this.#edit, isOn);
  }

  /** Show that sounds are loading. */
  setLoading(isOn: boolean): void {
    this.#play.classList.toggle("loading", isOn);
  }

  /** Show that the bot has been asked. */
  setBusy(isOn: boolean): void {
    this.#root.classList.toggle("busy", isOn);
    this.scroller.setAttribute("aria-busy", String(isOn));
  }

  /** Say something to those who do not see the page. */
  announce(text: string): void {
    this.#announcement.textContent = text;
  }

  /** Show a message for a while; an empty one takes the present one away. */
  tell(text: string): void {
    this.#message.textContent = text;
    this.#message.classList.toggle("shown", text !== "");
    clearTimeout(this.#messageTimer);
    this.#messageTimer = setTimeout(() => this.#message.classList.remove("shown"), MESSAGE_MS);
  }

  openPanel(name: PanelName | null): void {
    this.#open = name;
    for (const [tab, element] of this.#tabs) {
      element.setAttribute("aria-expanded", String(tab === name));
    }
    this.#panel.hidden = name === null;
    this.#root.classList.toggle("with-panel", name !== null);
    this.refreshPanel();
  }

  /** Build the open panel anew; the control that had the focus keeps it. */
  refreshPanel(): void {
    const app = this.#app;
    if (app === null || this.#open === null) return;
    const controls = () => [
      ...this.#panel.querySelectorAll<HTMLElement>("button, input, select, a"),
    ];
    const focused = controls().indexOf(document.activeElement as HTMLElement);
    const { scrollTop } = this.#panel;
    const close = h(
      "button",
      { class: "close", label: app.texts.close, onclick: () => this.openPanel(null) },
      icon("close"),
    );
    this.#panel.setAttribute("aria-label", this.#tabs.get(this.#open)?.title ?? "");
    this.#panel.replaceChildren(
      h("h2", {}, this.#tabs.get(this.#open)?.title ?? "", close),
      ...buildPanel(this.#open, app),
    );
    this.#panel.scrollTop = scrollTop;
    if (focused >= 0) controls()[focused]?.focus();
  }

  #toggleSpeed(): void {
    const app = this.#app;
    if (app === null) return;
    this.#speedPanel.hidden = !this.#speedPanel.hidden;
    if (this.#speedPanel.hidden) return;
    const { player, texts, score } = app;
    const percent = (value: number) => `${Math.round(value * 100)} %`;
    const tempo = h("output", {});
    const slider = h("input", {
      label: texts.speed,
      attributes: { type: "range", min: SPEEDS.min, max: SPEEDS.max, step: 0.05 },
      oninput: () => set(slider.valueAsNumber),
    });
    const chips = [0.5, 0.6, 0.7, 0.8, 0.9, 1].map((value) =>
      toggle({ isOn: false, onclick: () => set(value) }, percent(value)),
    );
    const set = (speed: number) => {
      player.setSpeed(speed);
      show();
    };
    const show = () => {
      slider.value = String(player.speed);
      slider.setAttribute("aria-valuetext", percent(player.speed));
      tempo.value = `${percent(player.speed)}, ${texts.atTempo(
        BEATS[beatLength(score.time_signature)] ?? "♩",
        String(Math.round(score.tempo_bpm * player.speed)),
      )}`;
      for (const chip of chips) {
        chip.setAttribute("aria-pressed", String(chip.textContent === percent(player.speed)));
      }
    };
    show();
    this.#speedPanel.replaceChildren(
      h("div", { class: "row" }, slider, tempo),
      h("div", { class: "row chips" }, ...chips),
    );
  }
}

function loopStart(app: App): number {
  const { passage } = app.player;
  return app.score.measures[passage?.first ?? 0]?.start ?? 0;
}

function press(button: HTMLButtonElement, isOn: boolean): void {
  button.setAttribute("aria-pressed", String(isOn));
}
