/** Where the score and its sounds come from: the bot, or the page itself if it was saved. */

import type { Change, Pitches, Score, View } from "./score.ts";

/** How a sound is encoded: Opus in Ogg, or FLAC for browsers that do not decode that. */
export type Encoding = "opus" | "flac";

/** How the score is to be shown. */
export interface Display {
  /** Of the pages, in CSS pixels. */
  readonly width: number;
  /** Of a staff's five lines, in CSS pixels. */
  readonly staff: number;
  /** Left out: as in the chat. */
  readonly view?: View;
  readonly transpose?: number;
  readonly pitches?: Pitches;
  readonly simple_chords?: boolean;
  readonly language?: string;
}

/** What the bot refused, in the reader's language. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;
  /** After a conflict, the newest revision. */
  readonly revision: string | null;

  constructor(code: string, text: string, status: number, revision: string | null = null) {
    super(text);
    this.code = code;
    this.status = status;
    this.revision = revision;
  }
}

/** The source of a score. `isOffline` pages cannot change or send it. */
export interface Source {
  readonly isOffline: boolean;
  fetchScore(display: Display): Promise<Score>;
  edit(revision: string, change: Change, display: Display): Promise<Score>;
  undo(revision: string, display: Display): Promise<Score>;
  redo(revision: string, display: Display): Promise<Score>;
  send(revision: string, display: Display): Promise<void>;
  /** Fetch the address of the page for any other browser. */
  fetchAddress(): Promise<string>;
  /** Ask for this address in the chat. */
  link(): Promise<void>;
  /** Fetch the file in which the page can be taken along. */
  save(
    display: Display,
    sounds: readonly string[],
    encoding: Encoding,
    banks: readonly string[],
  ): Promise<Blob>;
  /** Fetch a sound; a saved page has it in one encoding. */
  fetchSound(name: string, encoding: Encoding): Promise<ArrayBuffer>;
  /** Fetch the sounds of an instrument: a program's number, or `drums`. */
  fetchBank(instrument: string): Promise<ArrayBuffer>;
  /** Return the name of an instrument's file, as {@link save} wants it. */
  bankName(instrument: string): string;
  readonly stretcherUrl: string;
  readonly synthesiserUrl: string;
}

/** Addresses of the built files, relative to the page. */
export interface Assets {
  readonly stretch: string;
  readonly synthesiser: string;
  /** File names of the instruments, see tools/soundbank.ts. */
  readonly soundbank: Readonly<Record<string, string>>;
}

/** The bot as a source. */
export class BotSource implements Source {
  readonly isOffline = false;
  readonly #assets: Assets;
  readonly #headers: Record<string, string>;

  /**
   * @param assets - of the page
   * @param token - of the link, which names the result
   * @param initData - Telegram's, or an empty string
   */
  constructor(assets: Assets, token: string, initData: string) {
    this.#assets = assets;
    this.#headers = { Authorization: `Practice ${token}` };
    if (initData) this.#headers["X-Telegram-Init-Data"] = initData;
  }

  get stretcherUrl(): string {
    return this.#assets.stretch;
  }

  get synthesiserUrl(): string {
    return this.#assets.synthesiser;
  }

  bankName(instrument: string): string {
    const name = this.#assets.soundbank[instrument];
    if (name === undefined) throw new Error(`no instrument ${instrument}`);
    return name;
  }

  async fetchScore(display: Display): Promise<Score> {
    return (await this.#ask(`score?${query(display)}`)).json();
  }

  async edit(revision: string, change: Change, display: Display): Promise<Score> {
    return (await this.#ask("edits", { revision, ...change, ...display })).json();
  }

  async undo(revision: string, display: Display): Promise<Score> {
    return (await this.#ask("undo", { revision, ...display })).json();
  }

  async redo(revision: string, display: Display): Promise<Score> {
    return (await this.#ask("redo", { revision, ...display })).json();
  }

  async send(revision: string, display: Display): Promise<void> {
    await this.#ask("send", { revision, ...display });
  }

  async fetchAddress(): Promise<string> {
    return String((await (await this.#ask("link")).json()).link);
  }

  async link(): Promise<void> {
    await this.#ask("link", {});
  }

  async save(
    display: Display,
    sounds: readonly string[],
    encoding: Encoding,
    banks: readonly string[],
  ): Promise<Blob> {
    const more = new URLSearchParams({
      sounds: sounds.join(","),
      encoding,
      banks: banks.join(","),
    });
    return (await this.#ask(`save?${query(display)}&${more}`)).blob();
  }

  async fetchSound(name: string, encoding: Encoding): Promise<ArrayBuffer> {
    const path = `sounds/${encodeURIComponent(name)}`;
    return (
      await this.#ask(encoding === "opus" ? path : `${path}?encoding=${encoding}`)
    ).arrayBuffer();
  }

  async fetchBank(instrument: string): Promise<ArrayBuffer> {
    const response = await fetch(`soundbank/${this.bankName(instrument)}`);
    if (!response.ok) throw new Refusal("SOUNDS", "", response.status);
    return response.arrayBuffer();
  }

  /** Ask the bot; with a body, by POST. */
  async #ask(path: string, body?: unknown): Promise<Response> {
    const response = await fetch(
      `api/${path}`,
      body === undefined
        ? { headers: this.#headers }
        : {
            method: "POST",
            headers: { ...this.#headers, "Content-Type": "application/json" },
            body: JSON.stringify(body),
          },
    );
    if (response.ok) return response;
    const reason = await response.json().catch(() => ({}));
    throw new Refusal(
      String(reason.error ?? "UNKNOWN"),
      String(reason.text ?? ""),
      response.status,
      typeof reason.revision === "string" ? reason.revision : null,
    );
  }
}

function query(display: Display): URLSearchParams {
  const fields = Object.entries(display).filter(([, value]) => value !== undefined);
  return new URLSearchParams(fields.map(([name, value]) => [name, String(value)]));
}
