/** What a reader's actions mean in the protocol: edits of notes, and corrections of the page. */

import type { Change, Edit, Key, Measure, Note, Score, ScoreIndex } from "./score.ts";

export type NoteAction =
  | "stepUp"
  | "stepDown"
  | "semitoneUp"
  | "semitoneDown"
  | "longer"
  | "shorter"
  | "split"
  | "tie"
  | "remove";

/** Written values that a note can be lengthened and shortened to, in quarters. */
const VALUES = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8];

/** Return the next longer or shorter written value, or null if there is none. */
export function nextValue(quarters: number, direction: 1 | -1): number | null {
  const found =
    direction > 0
      ? VALUES.find((value) => value > quarters + 1e-6)
      : VALUES.findLast((value) => value < quarters - 1e-6);
  return found ?? null;
}

/** Return the edit that an action on a note makes; null if it cannot be done. */
export function editOf(action: NoteAction, note: Note, score: Score): Edit | null {
  const name = { note: note.note };
  switch (action) {
    case "stepUp":
      return { kind: "move", ...name, steps: 1 };
    case "stepDown":
      return { kind: "move", ...name, steps: -1 };
    case "semitoneUp":
      return { kind: "move", ...name, semitones: 1 };
    case "semitoneDown":
      return { kind: "move", ...name, semitones: -1 };
    case "longer":
    case "shorter": {
      const value = nextValue(note.duration, action === "longer" ? 1 : -1);
      // Durations are in quarters of the uncorrected page.
      if (value === null) return null;
      return { kind: "duration", ...name, quarters: value / (score.beat_scale || 1) };
    }
    case "split":
      return { kind: "split", ...name };
    case "tie":
      return { kind: "join", ...name };
    case "remove":
      return { kind: "delete", ...name };
  }
}

/** Where a new note goes. */
export interface NewNote {
  readonly part: string;
  /** Of the part's staves, from 1; null: chosen by pitch. */
  readonly staff: number | null;
  /** The page's MIDI number, as {@link Note.pitch}. */
  readonly pitch: number;
  readonly start: number;
  /** Written value, in quarters. */
  readonly value: number;
}

/** Return the edit that adds a note. */
export function addEdit({ part, staff, pitch, start, value }: NewNote, index: ScoreIndex): Edit {
  const { score, timeline } = index;
  return {
    kind: "add",
    part,
    time_s: timeline.toSeconds(start),
    quarters: value / (score.beat_scale || 1),
    pitch: pitch - score.transpose,
    ...(staff === null ? {} : { staff }),
  };
}

/** Return the name of the note that was added to a part last. */
export function addedName(score: Score, part: string): string {
  const added = editsOf(score).filter((edit) => edit.kind === "add" && edit.part === part);
  return `${part}+${added.length}`;
}

/** Semitones of C to B over C. */
const NATURALS = [0, 2, 4, 5, 7, 9, 11];

/** C to B in the order in which sharps come in key signatures, from 0; flats come backwards. */
const SHARPS = [1, 3, 5, 0, 2, 4, 6];

/**
 * Return the MIDI number of a line or space in a key signature.
 *
 * @param step - 7 for each octave, and 0 to 6 for C to B; middle C is 28
 * @param fifths - sharps of the key signature; negative: flats
 */
export function pitchOf(step: number, fifths: number): number {
  const letter = ((step % 7) + 7) % 7;
  const place = SHARPS[letter] as number;
  const inflection = fifths > place ? 1 : 6 - place < -fifths ? -1 : 0;
  return 12 * (Math.floor(step / 7) + 1) + (NATURALS[letter] as number) + inflection;
}

/**
 * Return the place in a bar at which a new note begins that was meant for a position: where another
 * note begins, or else as the note's value divides the bar, at the most into beats.
 */
export function placeInBar(
  quarters: number,
  value: number,
  bar: Measure,
  index: ScoreIndex,
): number {
  const beat = Math.min(1, 4 / Number(index.score.time_signature.split("/")[1] ?? 4));
  const grid = [0.25, 0.5, 1].findLast((step) => step <= Math.min(value, beat)) ?? 0.25;
  // Before a full bar, the end is a bar line; so is the begin of all others.
  const from = bar.number === "0" ? bar.end - Math.ceil(bar.end - bar.start) : bar.start;
  const places = index.notesStarting(bar.start, bar.end).map(({ start }) => start);
  for (let place = from; place < bar.end - 1e-6; place += grid) {
    if (place >= bar.start - 1e-6) places.push(place);
  }
  const away = (place: number) => Math.abs(place - quarters);
  return places.reduce((best, place) => (away(place) < away(best) ? place : best), bar.start);
}

/** Return the edit that writes a chord symbol at a position, or takes it away. */
export function chordEdit(text: string, quarters: number, index: ScoreIndex): Edit {
  const time_s = index.timeline.toSeconds(quarters);
  return text.trim() === ""
    ? { kind: "delete_chord", time_s }
    : { kind: "chord", time_s, text: text.trim() };
}

/** Return the change that adds an edit to those that the page has. */
export function withEdit(score: Score, edit: Edit): Change {
  return { corrections: { edits: [...editsOf(score), edit] } };
}

function editsOf(score: Score): readonly Edit[] {
  return Array.isArray(score.corrections.edits) ? score.corrections.edits : [];
}

const MAJOR = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const MINOR = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];

/** Return the tonics to choose from, in the usual spelling of a mode. */
export function tonicsOf(mode: Key["mode"]): readonly string[] {
  return mode === "major" ? MAJOR : MINOR;
}
