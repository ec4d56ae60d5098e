import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chordEdit,
  editOf,
  moveBarLines,
  nextValue,
  pitchClass,
  stateKey,
  tonicsOf,
  withEdit,
} from "../src/edits.ts";
import { index, note, score } from "./scores.ts";

test("values go up and down by what can be written, and end somewhere", () => {
  assert.equal(nextValue(1, 1), 1.5);
  assert.equal(nextValue(1, -1), 0.75);
  assert.equal(nextValue(2 / 3, 1), 0.75);
  assert.equal(nextValue(0.25, -1), null);
  assert.equal(nextValue(8, 1), null);
});

test("durations are sent in quarters of the uncorrected page", () => {
  const edit = editOf("longer", note(0), score({ beat_scale: 2 }));
  assert.deepEqual(edit, { kind: "duration", note: "piano:0-60", quarters: 0.75 });
  assert.equal(editOf("shorter", note(0, { duration: 0.25 }), score()), null);
});

test("an edit is added to those that the page has", () => {
  const first = { kind: "delete", note: "piano:1" };
  const page = score({ corrections: { edits: [first], triplets: "allowed" } });
  const edit = editOf("stepUp", note(0), page);
  assert.ok(edit);
  assert.deepEqual(withEdit(page, edit), {
    edits: [first, { kind: "move", note: "piano:0-60", steps: 1 }],
  });
});

test("a chord symbol is placed by the recording's time", () => {
  assert.deepEqual(chordEdit(" Am7 ", 4, index()), { kind: "chord", time_s: 3, text: "Am7" });
  assert.deepEqual(chordEdit("", 4, index()), { kind: "delete_chord", time_s: 3 });
});

test("bar lines move by beats, and never before the first heard one", () => {
  assert.deepEqual(moveBarLines(score({ first_beat: 2, beat_step: 1 }), 1), { first_beat: 3 });
  assert.deepEqual(moveBarLines(score({ first_beat: 1, beat_step: 1 }), -1), { first_beat: 4 });
  assert.deepEqual(moveBarLines(score({ first_beat: 1, beat_step: 0.5 }), -1), { first_beat: 0.5 });
});

test("a key that is stated on a transposed page is sent untransposed", () => {
  assert.deepEqual(stateKey(score(), { tonic: "Gb", mode: "major" }), {
    key: { tonic: "Gb", mode: "major" },
  });
  assert.deepEqual(stateKey(score({ transpose: 2 }), { tonic: "D", mode: "minor" }), {
    key: { tonic: "C", mode: "minor" },
  });
  assert.deepEqual(stateKey(score({ transpose: -3 }), { tonic: "A", mode: "major" }), {
    key: { tonic: "C", mode: "major" },
  });
  for (const mode of ["major", "minor"] as const) {
    assert.deepEqual(tonicsOf(mode).map(pitchClass), [...Array(12).keys()]);
  }
});
