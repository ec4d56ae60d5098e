/** Builds elements without HTML text, so that no title or name is ever read as markup. */

type Child = Node | string | null | undefined | false;

type Properties = {
  readonly class?: string;
  readonly title?: string;
  readonly label?: string;
  readonly onclick?: (event: MouseEvent) => void;
  readonly oninput?: (event: Event) => void;
  readonly onchange?: (event: Event) => void;
  readonly attributes?: Readonly<Record<string, string | number | boolean | null>>;
};

/** Build an element. `label` is its accessible name; a `false` or null attribute is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  if (properties.class) element.className = properties.class;
  if (properties.title) element.title = properties.title;
  if (properties.label) element.setAttribute("aria-label", properties.label);
  if (properties.onclick) element.onclick = properties.onclick;
  if (properties.oninput) element.oninput = properties.oninput;
  if (properties.onchange) element.onchange = properties.onchange;
  for (const [key, value] of Object.entries(properties.attributes ?? {})) {
    if (value !== null && value !== false) element.setAttribute(key, String(value));
  }
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
  return element;
}

/** A button that is on or off. */
export function toggle(
  properties: Properties & { readonly isOn: boolean },
  ...children: Child[]
): HTMLButtonElement {
  const { isOn, ...rest } = properties;
  return h(
    "button",
    { ...rest, attributes: { type: "button", "aria-pressed": String(isOn), ...rest.attributes } },
    ...children,
  );
}

/** A choice of a few values, of which one is chosen. */
export function choice<T extends string>(
  label: string,
  options: readonly (readonly [value: T, text: string])[],
  chosen: T,
  onchosen: (value: T) => void,
): HTMLElement {
  return h(
    "div",
    { class: "choice", label, attributes: { role: "radiogroup" } },
    ...options.map(([value, text]) =>
      h(
        "button",
        {
          onclick: () => onchosen(value),
          attributes: { type: "button", role: "radio", "aria-checked": String(value === chosen) },
        },
        text,
      ),
    ),
  );
}

/** A list to choose from. */
export function select<T extends string>(
  label: string,
  options: readonly (readonly [value: T, text: string])[],
  chosen: T,
  onchosen: (value: T) => void,
): HTMLSelectElement {
  const element = h(
    "select",
    { label, onchange: () => onchosen(element.value as T) },
    ...options.map(([value, text]) => h("option", { attributes: { value } }, text)),
  );
  element.value = chosen;
  return element;
}

/** A group of controls under a heading. */
export function group(heading: string, ...children: Child[]): HTMLElement {
  return h("section", { class: "group" }, h("h3", {}, heading), ...children);
}
