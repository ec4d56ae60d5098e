/**
 * Telegram's protocol for Mini Apps, as far as this page uses it.
 *
 * The client puts its parameters into the fragment of the address, and exchanges JSON events with
 * the page: through `TelegramWebviewProxy` in the mobile and macOS clients, `external.notify` in
 * Windows' one, and messages to the parent window in Telegram Web. Outside Telegram, all of this
 * does nothing.
 */

/** Colours of the client's theme, such as `bg_color`; values are `#rrggbb`. */
export type ThemeColours = Readonly<Record<string, string>>;

export interface TelegramBridge {
  /** Whether the page runs in a client of Telegram. */
  readonly isPresent: boolean;
  /** The signed data about the person, to be sent with every request; empty outside Telegram. */
  readonly initData: string;
  readonly theme: ThemeColours | null;
  /** Tell the client that the page can be shown, at full height. */
  ready(): void;
  /** Open an address in the browser of the system. */
  openLink(url: string): void;
  onThemeChanged(listener: (theme: ThemeColours) => void): void;
}

type Outgoing =
  | ["web_app_ready"]
  | ["web_app_expand"]
  | ["web_app_open_link", { url: string }]
  | ["web_app_setup_swipe_behavior", { allow_vertical_swipe: boolean }];

interface TelegramWindow extends Window {
  TelegramWebviewProxy?: { postEvent(type: string, data: string): void };
  external: External & { notify?: (message: string) => void };
  Telegram?: { WebView?: { receiveEvent: (type: string, data: unknown) => void } };
}

/** Fields of the init data, which some clients put into the fragment without encoding them. */
const INIT_FIELDS = [
  "query_id",
  "user",
  "receiver",
  "chat",
  "chat_type",
  "chat_instance",
  "start_param",
  "can_send_after",
  "auth_date",
  "hash",
  "signature",
];

/**
 * Return the init data of a fragment, as a query string.
 *
 * @param fragment - without `#`. Some desktop clients do not encode the data: its fields then stand
 *   among the others
 */
export function readInitData(fragment: string): string {
  const fields = new URLSearchParams(fragment);
  const data = fields.get("tgWebAppData");
  if (data === null) return "";
  if (fields.has("hash")) {
    const rest = new URLSearchParams();
    // The first field is the value of tgWebAppData: "query_id=..." or "user=...".
    const [first, ...value] = data.split("=");
    if (first && INIT_FIELDS.includes(first)) rest.set(first, value.join("="));
    for (const name of INIT_FIELDS) {
      const field = fields.get(name);
      if (field !== null) rest.set(name, field);
    }
    return rest.toString();
  }
  return data;
}

/** Return the theme that a fragment names, or null. */
export function readTheme(fragment: string): ThemeColours | null {
  const text = new URLSearchParams(fragment).get("tgWebAppThemeParams");
  if (text === null) return null;
  try {
    return checkTheme(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Keep the fields that are colours: the values come from outside and go into the style. */
function checkTheme(value: unknown): ThemeColours | null {
  if (typeof value !== "object" || value === null) return null;
  const colours = Object.entries(value).filter(
    (field): field is [string, string] =>
      typeof field[1] === "string" && /^#[0-9a-f]{6}$/i.test(field[1]),
  );
  return Object.fromEntries(colours);
}

/** Connect with the client, if there is one. */
export function connectTelegram(view: Window, fragment: string): TelegramBridge {
  const window = view as TelegramWindow;
  const isPresent = new URLSearchParams(fragment).has("tgWebAppVersion");
  const isFramed = window.parent !== window;
  const listeners: ((theme: ThemeColours) => void)[] = [];

  function post(...[type, data]: Outgoing): void {
    if (!isPresent) return;
    const body = data ?? {};
    if (window.TelegramWebviewProxy) {
      window.TelegramWebviewProxy.postEvent(type, JSON.stringify(body));
    } else if (typeof window.external?.notify === "function") {
      window.external.notify(JSON.stringify({ eventType: type, eventData: body }));
    } else if (isFramed) {
      const message = JSON.stringify({ eventType: type, eventData: body });
      window.parent.postMessage(message, "https://web.telegram.org");
    }
  }

  function receive(type: string, data: unknown): void {
    if (type !== "theme_changed" || typeof data !== "object" || data === null) return;
    const theme = checkTheme((data as { theme_params?: unknown }).theme_params);
    if (theme) for (const listener of listeners) listener(theme);
  }

  if (isPresent) {
    window.Telegram = { ...window.Telegram, WebView: { receiveEvent: receive } };
    if (isFramed) {
      window.addEventListener("message", (event) => {
        if (event.source !== window.parent || event.origin !== "https://web.telegram.org") return;
        try {
          const { eventType, eventData } = JSON.parse(String(event.data));
          receive(String(eventType), eventData);
        } catch {
          // Other messages of the parent are none of ours.
        }
      });
    }
  }
  return {
    isPresent,
    initData: readInitData(fragment),
    theme: readTheme(fragment),
    ready(): void {
      post("web_app_ready");
      post("web_app_expand");
      // A swipe down scrolls the score and must not close the page.
      post("web_app_setup_swipe_behavior", { allow_vertical_swipe: false });
    },
    openLink(url): void {
      post("web_app_open_link", { url });
    },
    onThemeChanged(listener): void {
      listeners.push(listener);
    },
  };
}
