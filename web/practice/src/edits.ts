/** What a reader's actions mean in the protocol: edits of notes, and corrections of the page. */

import type { Change, Edit, Key, Note, Score, ScoreIndex } from "./score.ts";

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

/** Return the edit that writes a chord symbol at a position, or takes it away. */
export function chordEdit(text: string, quarters: number, index: ScoreIndex): Edit {
  const time_s = index.timeline.toSeconds(quarters);
  return text.trim() === ""
    ? { kind: "delete_chord", time_s }
    : { kind: "chord", time_s, text: text.trim() };
}

/** Return the change that adds an edit to those that the page has. */
export function withEdit(score: Score, edit: Edit): Change {
  const edits = Array.isArray(score.corrections.edits) ? score.corrections.edits : [];
  return { corrections: { edits: [...edits, edit] } };
}

const MAJOR = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const MINOR = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];

/** Return the tonics to choose from, in the usual spelling of a mode. */
export function tonicsOf(mode: Key["mode"]): readonly string[] {
  return mode === "major" ? MAJOR : MINOR;
}
