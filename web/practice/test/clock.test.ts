import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock, heardTime, Timeline } from "../src/clock.ts";

const close = (a: number, b: number, within = 1e-6) =>
  assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

test("a timeline goes through its points, and on at the outer tempi", () => {
  const timeline = new Timeline([
    [0, 1],
    [1, 1.5],
    [3, 3.5],
  ]);
  close(timeline.toSeconds(0), 1);
  close(timeline.toSeconds(2), 2.5);
  close(timeline.toSeconds(-1), 0.5);
  close(timeline.toSeconds(4), 4.5);
  close(timeline.tempoAt(1.2), 2);
  close(timeline.tempoAt(9), 1);
  for (const quarters of [-2, 0, 0.3, 1, 2.9, 3, 7]) {
    close(timeline.toQuarters(timeline.toSeconds(quarters)), quarters);
  }
});

test("a timeline that does not increase is refused", () => {
  for (const points of [
    [[0, 0]],
    [
      [0, 0],
      [1, 0],
    ],
    [
      [0, 0],
      [0, 1],
    ],
    [
      [0, 0],
      [Number.NaN, 1],
    ],
  ]) {
    assert.throws(() => new Timeline(points as [number, number][]), RangeError);
  }
});

test("at rest nothing moves and nothing is to be scheduled", () => {
  const clock = new Clock();
  clock.rest(3);
  assert.equal(clock.isRunning, false);
  close(clock.position(100), 3);
  assert.deepEqual(clock.spans(0, 10), []);
});

test("recording time waits for the motion, then runs at its speed", () => {
  const clock = new Clock();
  clock.start({ at: 10, seconds: 4, speed: 0.5, loop: null });
  close(clock.position(9), 4);
  close(clock.position(10), 4);
  close(clock.position(12), 5);
  assert.deepEqual(clock.spans(8, 11), [
    { from: 10, until: 11, seconds: 4, speed: 0.5, loopEnd: null },
  ]);
});

test("the motion before goes on until the next begins", () => {
  const clock = new Clock();
  clock.start({ at: 0, seconds: 0, speed: 1, loop: null });
  clock.start({ at: 10, seconds: 10, speed: 0.5, loop: null });
  close(clock.position(9), 9);
  close(clock.position(12), 11);
  clock.start({ at: 9.5, seconds: 9.5, speed: 2, loop: null });
  close(clock.position(9), 9);
  close(clock.position(10), 10.5);
});

test("a motion that is replaced before it begins leaves the one before", () => {
  const clock = new Clock();
  clock.start({ at: 0, seconds: 0, speed: 1, loop: null });
  clock.start({ at: 10, seconds: 10, speed: 2, loop: null });
  clock.start({ at: 10.1, seconds: 10.2, speed: 1.5, loop: null });
  close(clock.position(9.9), 9.9);
  close(clock.position(10.05), 10.1);
  close(clock.position(11.1), 11.7);
});

test("a loop wraps as often as it takes, at any speed", () => {
  const clock = new Clock();
  clock.start({ at: 0, seconds: 1, speed: 2, loop: { start: 1, end: 2 } });
  close(clock.position(0.25), 1.5);
  close(clock.position(0.5), 1);
  close(clock.position(1.75), 1.5);
  const spans = clock.spans(0.2, 1.3);
  assert.equal(spans.length, 3);
  assert.deepEqual(
    spans.map(({ loopEnd }) => Math.round((loopEnd ?? 0) * 1e6) / 1e6),
    [0.5, 1, 1.5],
  );
  for (const [i, span] of spans.entries()) {
    close(span.seconds, i === 0 ? 1.4 : 1);
    if (i > 0) close(span.from, spans[i - 1]?.until ?? 0);
  }
  close(spans[0]?.until ?? 0, 0.5);
});

test("spans that follow each other cover the time once, across seams too", () => {
  const clock = new Clock();
  clock.start({ at: 0.123, seconds: 5, speed: 0.7, loop: { start: 4.9, end: 5.7 } });
  let played = 0;
  let at = 0;
  for (let until = 0.025; until < 60; until += 0.025) {
    for (const span of clock.spans(at, until)) {
      played += (span.until - span.from) * span.speed;
      assert.ok(span.seconds >= 4.9 - 1e-9 && span.seconds < 5.7);
      assert.ok(span.until > span.from);
    }
    at = until;
  }
  close(played, (at - 0.123) * 0.7, 1e-4);
});

test("a loop that lies behind, or is too short to be heard, is not followed", () => {
  const clock = new Clock();
  clock.start({ at: 0, seconds: 7, speed: 1, loop: { start: 1, end: 2 } });
  close(clock.position(5), 12);
  clock.start({ at: 0, seconds: 1, speed: 1, loop: { start: 1, end: 1 } });
  close(clock.position(5), 6);
});

test("what is heard lies behind by the latency of the output", () => {
  close(heardTime({ currentTime: 10, outputLatency: 0.2, baseLatency: 0.01 }), 9.8);
  close(heardTime({ currentTime: 10, outputLatency: 0, baseLatency: 0.01 }), 9.99);
  close(heardTime({ currentTime: 10 }, 0.1), 9.9);
});
