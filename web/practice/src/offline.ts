/** A saved page as a source: everything is in the file (see the bot's api/save). */

import { Refusal, type Source } from "./api.ts";
import type { Score } from "./score.ts";

/** Return the source in this document, or null if the page was not saved. */
export function findSaved(document: Document): Source | null {
  const text = document.getElementById("practice-score")?.textContent;
  return text ? new SavedSource(document, JSON.parse(text)) : null;
}

class SavedSource implements Source {
  readonly isOffline = true;
  readonly #document: Document;
  readonly #score: Score;

  constructor(document: Document, score: Score) {
    this.#document = document;
    const sounds = [...document.querySelectorAll<HTMLElement>("script[data-sound]")];
    this.#score = {
      ...score,
      views: [],
      sounds: sounds.map((element) => element.dataset.sound ?? ""),
      alternatives: [],
      can_undo: false,
      can_send: false,
    };
  }

  get stretcherUrl(): string {
    return this.#scriptUrl("stretch");
  }

  get synthesiserUrl(): string {
    return this.#scriptUrl("synthesiser");
  }

  fetchScore(): Promise<Score> {
    return Promise.resolve(this.#score);
  }

  async fetchSound(name: string): Promise<ArrayBuffer> {
    return this.#bytes(`script[data-sound="${CSS.escape(name)}"]`);
  }

  async fetchBank(instrument: string): Promise<ArrayBuffer> {
    return this.#bytes(`script[data-bank^="${CSS.escape(instrument)}-"]`);
  }

  bankName(instrument: string): string {
    return instrument;
  }

  edit(): Promise<Score> {
    return refuse();
  }

  undo(): Promise<Score> {
    return refuse();
  }

  redo(): Promise<Score> {
    return refuse();
  }

  send(): Promise<void> {
    return refuse();
  }

  fetchAddress(): Promise<string> {
    return refuse();
  }

  link(): Promise<void> {
    return refuse();
  }

  save(): Promise<Blob> {
    return refuse();
  }

  #scriptUrl(name: string): string {
    const text = this.#document.querySelector(`script[data-worklet="${name}"]`)?.textContent ?? "";
    // A page that was opened from a disk may not load worklets from blobs.
    return `data:text/javascript,${encodeURIComponent(text)}`;
  }

  #bytes(selector: string): ArrayBuffer {
    const text = this.#document.querySelector(selector)?.textContent;
    if (!text) throw new Refusal("SOUND_UNAVAILABLE", "", 404);
    return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0)).buffer;
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new Refusal("OFFLINE", "", 0));
}
