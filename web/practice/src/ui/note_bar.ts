/** The row of actions on a chosen note, and of values for new ones, shown while notes are edited. */

import type { App } from "../app.ts";
import type { NoteAction } from "../edits.ts";
import { h, toggle } from "./dom.ts";
import { type IconName, icon } from "./icons.ts";

/** The values of new notes, in quarters. */
const VALUES: readonly (readonly [value: number, icon: IconName])[] = [
  [4, "whole"],
  [2, "half"],
  [1, "quarter"],
  [0.5, "eighth"],
  [0.25, "sixteenth"],
];

export class NoteBar {
  readonly element = h("div", { class: "note-bar", attributes: { role: "toolbar" } });
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
    this.element.setAttribute("aria-label", app.texts.edit);
  }

  /** Show the actions that fit what is chosen. */
  refresh(): void {
    const { texts, isEditing, isAdding } = this.#app;
    this.element.hidden = !isEditing;
    if (!isEditing) return;
    const focused = [...this.element.children].indexOf(document.activeElement as Element);
    const add = toggle(
      {
        label: texts.add,
        title: texts.add,
        isOn: isAdding,
        onclick: () => this.#app.toggleAdding(),
      },
      icon("plus"),
    );
    const done = h(
      "button",
      { class: "done", onclick: () => this.#app.toggleEditing(), attributes: { type: "button" } },
      texts.done,
    );
    this.element.replaceChildren(
      add,
      ...(isAdding ? this.#values() : []),
      this.#action("stepUp", icon("up")),
      this.#action("stepDown", icon("down")),
      this.#action("semitoneUp", "♯"),
      this.#action("semitoneDown", "♭"),
      ...(isAdding
        ? []
        : [
            this.#action("longer", texts.longer),
            this.#action("shorter", texts.shorter),
            this.#action("split", texts.split),
            this.#action("tie", texts.tie),
          ]),
      this.#action("remove", icon("remove")),
      ...(isAdding ? [] : [this.#chord()]),
      done,
    );
    const again = this.element.children[focused];
    if (again instanceof HTMLElement) again.focus();
  }

  #action(name: NoteAction, content: Node | string): HTMLElement {
    const { texts, selected } = this.#app;
    return h(
      "button",
      {
        label: texts[name],
        title: texts[name],
        onclick: () => this.#app.act(name),
        attributes: { type: "button", disabled: selected === null },
      },
      content,
    );
  }

  #values(): HTMLElement[] {
    const { texts, newValue } = this.#app;
    const values = VALUES.map(([value, name]) => {
      const label = texts.newValue[value] ?? "";
      const isOn = newValue.value === value;
      const onclick = () => this.#app.setNewValue({ value });
      return toggle({ class: "value", label, title: label, isOn, onclick }, icon(name));
    });
    const onclick = () => this.#app.setNewValue({ isDotted: !newValue.isDotted });
    const dot = toggle(
      {
        class: "value",
        label: texts.dotted,
        title: texts.dotted,
        isOn: newValue.isDotted,
        onclick,
      },
      icon("dot"),
    );
    return [...values, dot];
  }

  #chord(): HTMLElement {
    const { texts } = this.#app;
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
    return chord;
  }
}
