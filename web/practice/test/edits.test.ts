import assert from "node:assert/strict";
import { test } from "node:test";
import { chordEdit, editOf, nextValue, withEdit } from "../src/edits.ts";
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
