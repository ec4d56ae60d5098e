/** Scores for tests. */

import { type Note, type Score, ScoreIndex } from "../src/score.ts";

/** Return a note; what is not given is a quarter on middle C. */
export function note(start: number, fields: Partial<Note> = {}): Note {
  const name = `piano:${start}-${fields.pitch ?? 60}`;
  return {
    ids: [`n-${name}`],
    note: name,
    part: "piano",
    pitch: 60,
    start,
    duration: 1,
    velocity: 80,
    ...fields,
  };
}

/** Return a score in 4/4 with two bars of quarters at 120, unless told otherwise. */
export function score(fields: Partial<Score> = {}): Score {
  return {
    revision: "r",
    title: "A song",
    language: "en",
    view: "full",
    views: ["full"],
    transpose: 0,
    pitches: "meant",
    key: { tonic: "C", mode: "major" },
    time_signature: "4/4",
    tempo_bpm: 120,
    beat_scale: 1,
    first_beat: 1,
    pages: [],
    measures: [
      { number: "1", id: "bar-1", page: 1, start: 0, end: 4, fifths: 0 },
      { number: "2", id: "bar-2", page: 1, start: 4, end: 8, fifths: 0 },
    ],
    notes: Array.from({ length: 8 }, (_, i) => note(i)),
    parts: [{ id: "piano", name: "Piano", program: 0, is_drum: false, staves: 2 }],
    clock: [
      [0, 1],
      [8, 5],
    ],
    chords: [],
    sounds: ["recording"],
    duration_s: 6,
    corrections: {},
    alternatives: [],
    can_undo: false,
    can_send: true,
    ...fields,
  };
}

/** Return an index of {@link score}. */
export function index(fields: Partial<Score> = {}): ScoreIndex {
  return new ScoreIndex(score(fields));
}
