import assert from "node:assert/strict";
import { test } from "node:test";
import { index, note } from "./scores.ts";

const starts = (notes: readonly { start: number }[]) => notes.map(({ start }) => start);

test("notes are found by where they start, whatever their order", () => {
  const found = index({ notes: [note(3), note(0), note(2), note(2, { pitch: 64 })] });
  assert.deepEqual(starts(found.notes), [0, 2, 2, 3]);
  assert.deepEqual(starts(found.notesStarting(0, 2)), [0]);
  assert.deepEqual(starts(found.notesStarting(2, 3)), [2, 2]);
  assert.deepEqual(found.notesStarting(4, 9), []);
});

test("a long note still sounds under later ones, and grace notes do not", () => {
  const found = index({ notes: [note(0, { duration: 4 }), note(1), note(2, { duration: 0 })] });
  assert.deepEqual(starts(found.notesAt(1.5)), [0, 1]);
  assert.deepEqual(starts(found.notesAt(2)), [0]);
  assert.deepEqual(starts(found.notesAt(4)), []);
});

test("each position has a bar", () => {
  const found = index();
  assert.deepEqual(
    [-1, 0, 3.99, 4, 8, 99].map((quarters) => found.measureAt(quarters)),
    [0, 0, 0, 1, 1, 1],
  );
  assert.equal(found.end, 8);
  assert.equal(index({ measures: [] }).measureAt(3), 0);
});

test("a notehead belongs to its note, tied ones too", () => {
  const found = index({ notes: [note(0, { ids: ["a", "b"] })] });
  assert.equal(found.noteWithId("b"), found.notes[0]);
  assert.equal(found.noteWithId("c"), undefined);
});
