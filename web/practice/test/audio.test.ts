import assert from "node:assert/strict";
import { test } from "node:test";
import { beatLength, countIn, listBeats } from "../src/audio/metronome.ts";
import { gainOf, mix, type Track, UNITY } from "../src/audio/mixer.ts";
import { index } from "./scores.ts";

const track = (id: string, fields: Partial<Track> = {}): Track => ({
  id,
  kind: "part",
  volume: UNITY,
  isMuted: false,
  isSolo: false,
  ...fields,
});

test("a fader at unity changes nothing, and at zero is silent", () => {
  assert.equal(gainOf(UNITY), 1);
  assert.equal(gainOf(0), 0);
  assert.ok(gainOf(1) > 1 && gainOf(2) === gainOf(1));
});

test("mute and solo, with a metronome that no solo silences", () => {
  const gains = mix([
    track("a"),
    track("b", { isSolo: true }),
    track("c", { isSolo: true, isMuted: true }),
    track("click", { kind: "click" }),
  ]);
  assert.deepEqual([...gains.values()], [0, 1, 0, 1]);
  assert.deepEqual([...mix([track("a"), track("b", { isMuted: true })]).values()], [1, 0]);
});

test("beats are as people count them", () => {
  assert.deepEqual(
    ["4/4", "3/4", "6/8", "12/8", "3/8", "5/4", "2/2"].map(beatLength),
    [1, 1, 1.5, 1.5, 0.5, 1, 2],
  );
});

test("every bar has its beats, and a pickup those before the bar line", () => {
  const measures = [
    { number: "0", id: "bar-0", page: 1, start: 0, end: 1.5, fifths: 0 },
    { number: "1", id: "bar-1", page: 1, start: 1.5, end: 5.5, fifths: 0 },
  ];
  const beats = listBeats(index({ measures }));
  assert.deepEqual(
    beats.map(({ quarters }) => quarters),
    [0.5, 1.5, 2.5, 3.5, 4.5],
  );
  assert.deepEqual(
    beats.map(({ level }) => level),
    [1, 2, 1, 1, 1],
  );
});

test("a bar is counted in, and what is missing of the present one", () => {
  assert.deepEqual(countIn(index(), 4), [
    { before: 4, level: 2 },
    { before: 3, level: 1 },
    { before: 2, level: 1 },
    { before: 1, level: 1 },
  ]);
  assert.deepEqual(
    countIn(index(), 6).map(({ before, level }) => [before, level]),
    [
      [6, 2],
      [5, 1],
      [4, 1],
      [3, 1],
      [2, 2],
      [1, 1],
    ],
  );
});

test("a pickup is counted in as a part of its bar", () => {
  const measures = [
    { number: "0", id: "bar-0", page: 1, start: 0, end: 1, fifths: 0 },
    { number: "1", id: "bar-1", page: 1, start: 1, end: 5, fifths: 0 },
  ];
  // One, two, three, four, one, two, three: and the pickup is the fourth beat.
  assert.deepEqual(
    countIn(index({ measures }), 0).map(({ before, level }) => [before, level]),
    [
      [7, 2],
      [6, 1],
      [5, 1],
      [4, 1],
      [3, 2],
      [2, 1],
      [1, 1],
    ],
  );
});
