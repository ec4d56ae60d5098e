/** What the page remembers in this browser; nothing of the music. */

export interface Preferences {
  /** Factor of the staves' size. */
  size: number;
  theme: "auto" | "light" | "dark";
  countsIn: boolean;
}

const NAME = "notabot-practice";
const DEFAULTS: Preferences = { size: 1, theme: "auto", countsIn: false };

/** Read what is remembered; a browser that remembers nothing gives the defaults. */
export function readPreferences(): Preferences {
  try {
    const found: Partial<Preferences> = JSON.parse(localStorage.getItem(NAME) ?? "{}");
    return {
      size: [0.8, 1, 1.25, 1.5].includes(found.size ?? 0) ? (found.size as number) : DEFAULTS.size,
      theme: found.theme === "light" || found.theme === "dark" ? found.theme : DEFAULTS.theme,
      countsIn: found.countsIn === true,
    };
  } catch {
    return { ...DEFAULTS };
  }
}

/** Remember; where that is forbidden, nothing happens. */
export function writePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(preferences));
  } catch {
    // Private windows and frames of other sites may forbid it.
  }
}
