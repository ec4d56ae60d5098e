/** Light and dark, and the colours of Telegram's theme. */

import type { Preferences } from "./preferences.ts";
import type { ThemeColours } from "./telegram.ts";

/** Our colours, and the fields of Telegram's theme that replace them. */
const COLOURS = {
  "--page": "secondary_bg_color",
  "--panel": "bg_color",
  "--ink": "text_color",
  "--soft": "hint_color",
  "--accent": "button_color",
  "--on-accent": "button_text_color",
} as const;

/**
 * Show the page in a theme.
 *
 * @param choice - the reader's; "auto" follows Telegram, or the system outside of it
 * @param telegram - colours of the client's theme, or null
 */
export function applyTheme(choice: Preferences["theme"], telegram: ThemeColours | null): void {
  const root = document.documentElement;
  for (const name of Object.keys(COLOURS)) root.style.removeProperty(name);
  const isTelegrams = choice === "auto" && telegram !== null;
  if (isTelegrams) {
    for (const [name, field] of Object.entries(COLOURS)) {
      const colour = telegram[field];
      if (colour) root.style.setProperty(name, colour);
    }
  }
  const background = isTelegrams ? telegram.bg_color : undefined;
  const theme = background ? (isDark(background) ? "dark" : "light") : choice;
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

/** Return whether light text is read better on a colour such as #1c1c1e. */
export function isDark(colour: string): boolean {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    Number.parseInt(colour.slice(at, at + 2), 16),
  );
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}
