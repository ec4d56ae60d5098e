/** The row of actions on a chosen note, shown while notes are edited. */

import type { App } from "../app.ts";
import type { NoteAction } from "../edits.ts";
import { h } from "./dom.ts";
import { icon } from "./icons.ts";

export class NoteBar {
  readonly element = h("div", { class: "note-bar", attributes: { role: "toolbar" } });
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
    this.element.setAttribute("aria-label", app.texts.edit);
  }

  /** Show the actions that fit what is chosen. */
  refresh(): void {
    const { texts, selected, isEditing } = this.#app;
    this.element.hidden = !isEditing;
    if (!isEditing) return;
    const action = (name: NoteAction, ...content: (Node | string)[]) =>
      h(
        "button",
        {
          label: texts[name],
          title: texts[name],
          onclick: () => this.#app.act(name),
          attributes: { type: "button", disabled: selected === null },
        },
        ...content,
      );
    const chord = h("input", {
      class: "chord",
      label: texts.chordSymbol,
      attributes: {
        type: "text",
        placeholder: texts.chord,
        title: `${texts.chordSymbol}, ${texts.chordPlaceholder}`,
        maxlength: 24,
        autocapitalize: "off",
        autocomplete: "off",
        spellcheck: "false",
        enterkeyhint: "done",
      },
      onchange: () => this.#app.setChord(chord.value),
    });
    chord.value = this.#app.chordText;
    const focused = [...this.element.children].indexOf(document.activeElement as Element);
    this.element.replaceChildren(
      action("stepUp", icon("up")),
      action("stepDown", icon("down")),
      action("semitoneUp", "♯"),
      action("semitoneDown", "♭"),
      action("longer", texts.longer),
      action("shorter", texts.shorter),
      action("split", texts.split),
      action("tie", texts.tie),
      action("remove", icon("remove")),
      chord,
      h(
        "button",
        { class: "done", onclick: () => this.#app.toggleEditing(), attributes: { type: "button" } },
        texts.done,
      ),
    );
    const again = this.element.children[focused];
    if (again instanceof HTMLElement) again.focus();
  }
}
