import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addEdit,
  addedName,
  chordEdit,
  editOf,
  nextValue,
  pitchOf,
  placeInBar,
  withEdit,
} from "../src/edits.ts";
import type { Measure } from "../src/score.ts";
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
    corrections: { edits: [first, { kind: "move", note: "piano:0-60", steps: 1 }] },
  });
});

test("a chord symbol is placed by the recording's time", () => {
  assert.deepEqual(chordEdit(" Am7 ", 4, index()), { kind: "chord", time_s: 3, text: "Am7" });
  assert.deepEqual(chordEdit("", 4, index()), { kind: "delete_chord", time_s: 3 });
});

test("lines and spaces have the pitches of the key signature", () => {
  assert.equal(pitchOf(28, 0), 60);
  assert.equal(pitchOf(28 - 1, -1), 58); // B flat in F major
  assert.equal(pitchOf(28 + 3, 1), 66); // F sharp in G major
  assert.equal(pitchOf(28, 1), 60);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((step) => pitchOf(35 + step, 7)),
    [73, 75, 77, 78, 80, 82, 84],
  );
  assert.equal(pitchOf(28 + 3, -6), 65); // F in G flat major
  assert.equal(pitchOf(28, -6), 59); // C flat
});

test("a new note begins with another one, or as its value divides the bar", () => {
  const bar = score().measures[1] as Measure;
  const empty = index({ notes: [] });
  assert.equal(placeInBar(5.4, 1, bar, empty), 5);
  assert.equal(placeInBar(5.4, 0.5, bar, empty), 5.5);
  assert.equal(placeInBar(7.9, 4, bar, empty), 7);
  assert.equal(placeInBar(5.4, 1, bar, index({ notes: [note(5 + 1 / 3)] })), 5 + 1 / 3);
  const pickup = { ...bar, number: "0", start: 0, end: 1.5 };
  assert.equal(placeInBar(0.4, 1, pickup, empty), 0.5);
});

test("a new note is placed by the recording's time, untransposed", () => {
  const place = { part: "piano", staff: 2, pitch: 57, start: 4, value: 2 };
  const page = index({ transpose: -3, beat_scale: 2 });
  assert.deepEqual(addEdit(place, page), {
    kind: "add",
    part: "piano",
    time_s: 3,
    quarters: 1,
    pitch: 60,
    staff: 2,
  });
  const edits = [
    { kind: "add", part: "piano" },
    { kind: "add", part: "vocals" },
  ];
  assert.equal(addedName(score({ corrections: { edits } }), "piano"), "piano+1");
});
