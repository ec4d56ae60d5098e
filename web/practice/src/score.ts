/** The score as the bot sends it, and quick answers about it. All positions are in quarters. */

import { type ClockPoint, Timeline } from "./clock.ts";

export type View = "full" | "melody" | "lead_sheet" | "piano" | "chords";
export type Pitches = "meant" | "sung";

export interface Measure {
  readonly number: string;
  /** The id of its element in the page. */
  readonly id: string;
  /** From 1. */
  readonly page: number;
  readonly start: number;
  readonly end: number;
  /** Sharps of its key signature; negative: flats. */
  readonly fifths: number;
}

export interface Note {
  /** The ids of its noteheads in the pages, tied ones in order; none where no notes are shown. */
  readonly ids: readonly string[];
  /** The heard note's name, by which edits call it; empty if nobody played it. */
  readonly note: string;
  readonly part: string;
  /** MIDI number as it sounds on the page, transposed; of drums, the percussion key. */
  readonly pitch: number;
  readonly start: number;
  /** 0 for a grace note. */
  readonly duration: number;
  readonly velocity: number;
}

export interface Part {
  readonly id: string;
  readonly name: string;
  /** General MIDI, from 0. */
  readonly program: number;
  readonly is_drum: boolean;
  /** 1 or 2. */
  readonly staves: number;
}

export interface Key {
  readonly tonic: string;
  readonly mode: "major" | "minor";
}

export interface ChordSymbol {
  readonly start: number;
  readonly text: string;
}

/** A font with the characters that the pages use; `woff2` is base64. */
export interface Font {
  readonly family: string;
  readonly is_bold: boolean;
  readonly is_italic: boolean;
  readonly woff2: string;
}

/** Edits of single notes, as in the protocol, see docs/corrections.md. */
export type Edit = Readonly<Record<string, unknown>> & { readonly kind: string };

/** Corrections as in the protocol, as JSON; only what is set. */
export type Corrections = Readonly<Record<string, unknown>>;

/** What a reader changes, as in the protocol: in terms of what was heard, or of the page. */
export interface Change {
  readonly corrections?: Corrections;
  readonly adjustments?: Adjustments;
}

/** Changes in terms of the page that is shown. */
export interface Adjustments {
  /** Factor of the written values. */
  readonly rescale?: number;
  readonly bar_shift?: { readonly count: number; readonly unit: "beat" };
  readonly key?: Key;
}

/** Another reading of the page, in words. */
export interface Alternative extends Change {
  readonly text: string;
}

export interface Score {
  readonly revision: string;
  readonly title: string;
  readonly language: string;
  readonly view: View;
  readonly views: readonly View[];
  readonly transpose: number;
  readonly pitches: Pitches;
  readonly key: Key;
  readonly time_signature: string;
  readonly tempo_bpm: number;
  readonly beat_scale: number;
  readonly first_beat: number;
  /** SVG: a system each, of the same width. */
  readonly pages: readonly string[];
  /** SVG with the signs that the pages use; to be in the same document. */
  readonly glyphs?: string;
  readonly measures: readonly Measure[];
  readonly notes: readonly Note[];
  readonly parts: readonly Part[];
  readonly clock: readonly ClockPoint[];
  readonly chords: readonly ChordSymbol[];
  readonly sounds: readonly string[];
  readonly duration_s: number;
  readonly corrections: Corrections;
  readonly alternatives: readonly Alternative[];
  readonly can_undo: boolean;
  readonly can_send: boolean;
  readonly can_redo?: boolean;
  readonly sung_differs?: boolean;
  readonly simple_chords?: boolean;
  readonly fonts?: readonly Font[];
  /** Of the recording, from A440. */
  readonly tuning_cents?: number;
}

/** A score with its timeline, sorted for look-ups. */
export class ScoreIndex {
  readonly score: Score;
  readonly timeline: Timeline;
  readonly #byStart: readonly Note[];
  readonly #byId = new Map<string, Note>();
  /** The longest note's duration: a note that sounds began no earlier. */
  readonly #longest: number;

  constructor(score: Score) {
    this.score = score;
    this.timeline = new Timeline(score.clock);
    this.#byStart = [...score.notes].sort((a, b) => a.start - b.start);
    this.#longest = Math.max(0, ...score.notes.map((note) => note.duration));
    for (const note of score.notes) for (const id of note.ids) this.#byId.set(id, note);
  }

  /** Where the last bar ends. */
  get end(): number {
    return this.score.measures.at(-1)?.end ?? 0;
  }

  /** Notes in order of their starts. */
  get notes(): readonly Note[] {
    return this.#byStart;
  }

  /** Return the note to which a notehead belongs. */
  noteWithId(id: string): Note | undefined {
    return this.#byId.get(id);
  }

  /** Return notes that start in [from, until). */
  notesStarting(from: number, until: number): readonly Note[] {
    return this.#byStart.slice(this.#firstFrom(from), this.#firstFrom(until));
  }

  /** Return notes that sound at a position; their last moment is not included. */
  notesAt(quarters: number): readonly Note[] {
    const begun = this.#byStart.slice(
      this.#firstFrom(quarters - this.#longest),
      this.#firstFrom(quarters + 1e-9),
    );
    return begun.filter((note) => quarters < note.start + note.duration - 1e-9);
  }

  /** Return the index of the bar at a position; the first or last one beyond the ends. */
  measureAt(quarters: number): number {
    const { measures } = this.score;
    let [low, high] = [0, measures.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((measures[middle] as Measure).start <= quarters + 1e-9) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** Return the first index in `notes` that starts at a position or later. */
  #firstFrom(quarters: number): number {
    let [low, high] = [0, this.#byStart.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#byStart[middle] as Note).start < quarters) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
