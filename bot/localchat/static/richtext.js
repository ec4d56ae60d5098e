// Turns text with entities into DOM nodes. Offsets count UTF-16 code units, as in JavaScript.

import { el } from "./dom.js";

const LINK = /^(https?:|tg:|mailto:|tel:)/i;

function link(href, children) {
  if (!LINK.test(href)) return el("span", {}, ...children);
  return el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

function wrap(entity, text, children, onCommand) {
  switch (entity.type) {
    case "bold":
      return el("b", {}, ...children);
    case "italic":
      return el("i", {}, ...children);
    case "underline":
      return el("u", {}, ...children);
    case "strikethrough":
      return el("s", {}, ...children);
    case "spoiler":
      return el(
        "span",
        {
          class: "spoiler",
          role: "button",
          tabindex: 0,
          on: { click: (event) => event.currentTarget.classList.add("open") },
        },
        ...children,
      );
    case "code":
      return el("code", {}, ...children);
    case "pre":
      return el("pre", { dataset: { language: entity.language ?? "" } }, ...children);
    case "blockquote":
      return el("blockquote", {}, ...children);
    case "expandable_blockquote": {
      const toggle = (event) => event.currentTarget.classList.toggle("open");
      return el("blockquote", { class: "expandable", tabindex: 0, on: { click: toggle } }, ...children);
    }
    case "text_link":
      return link(entity.url, children);
    case "url":
      return link(text, children);
    case "email":
      return link(`mailto:${text}`, children);
    case "bot_command":
      return el(
        "button",
        { type: "button", class: "link", on: { click: () => onCommand(text) } },
        ...children,
      );
    default:
      return el("span", {}, ...children);
  }
}

// Entities are sorted, the outer before the inner, and always nest properly.
function build(text, entities, start, stop, onCommand) {
  const nodes = [];
  let position = start;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const first = Math.max(entity.offset, position);
    const last = Math.min(entity.offset + entity.length, stop);
    let next = index + 1;
    while (next < entities.length && entities[next].offset < last) next += 1;
    if (last > first) {
      if (first > position) nodes.push(text.slice(position, first));
      const inner = build(text, entities.slice(index + 1, next), first, last, onCommand);
      nodes.push(wrap(entity, text.slice(first, last), inner, onCommand));
      position = last;
    }
    index = next;
  }
  if (position < stop) nodes.push(text.slice(position, stop));
  return nodes;
}

export function richText(text, entities, onCommand) {
  return build(text, entities ?? [], 0, text.length, onCommand);
}
