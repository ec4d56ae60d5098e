/** The metronome: where beats are, and clicks for them. */

import { type Span, Timeline } from "../clock.ts";
import type { ScoreIndex } from "../score.ts";

/** A click; `level` 2 begins a bar, 1 is any other beat. */
export interface Beat {
  readonly quarters: number;
  readonly level: 1 | 2;
}

/** A click of a count-in, and its distance to where the music begins, in quarters. */
export interface CountedBeat {
  readonly before: number;
  readonly level: 1 | 2;
}

/**
 * Return the length of a beat in quarters: a dotted value in compound metres such as 6/8.
 *
 * @param signature - such as "3/4"
 */
export function beatLength(signature: string): number {
  const [count = 4, unit = 4] = signature.split("/").map(Number);
  const isCompound = unit >= 8 && count > 3 && count % 3 === 0;
  return (isCompound ? 3 : 1) * (4 / unit);
}

/** Return the beats of every bar. A pickup's beats are counted back from its end. */
export function listBeats(index: ScoreIndex): Beat[] {
  const length = beatLength(index.score.time_signature);
  return index.score.measures.flatMap(({ number, start, end }) => {
    const isPickup = number === "0";
    const count = Math.ceil((end - start) / length - 1e-6);
    return Array.from({ length: count }, (_, i): Beat => {
      const quarters = isPickup ? end - (count - i) * length : start + i * length;
      return { quarters, level: i === 0 && !isPickup ? 2 : 1 };
    }).filter((beat) => beat.quarters >= start - 1e-6);
  });
}

/**
 * Return the beats to count before a position: a bar, and what is played of the present one.
 *
 * @returns the earliest first
 */
export function countIn(index: ScoreIndex, quarters: number): CountedBeat[] {
  const length = beatLength(index.score.time_signature);
  const [count = 4, unit = 4] = index.score.time_signature.split("/").map(Number);
  const bar = (count * 4) / unit;
  const measure = index.score.measures[index.measureAt(quarters)];
  // The bar line before; a pickup's lies before its beginning.
  const line =
    measure === undefined ? 0 : measure.number === "0" ? measure.end - bar : measure.start;
  const beats: CountedBeat[] = [];
  for (let i = 0; line - bar + i * length < quarters - 1e-6; i++) {
    const isBar = Math.abs((i * length) % bar) < 1e-6;
    beats.push({ before: quarters - (line - bar + i * length), level: isBar ? 2 : 1 });
  }
  return beats;
}

/** Clicks on the beats, scheduled ahead. */
export class Metronome {
  readonly #context: BaseAudioContext;
  readonly output: GainNode;
  #beats: readonly Beat[] = [];
  #timeline = new Timeline([
    [0, 0],
    [1, 1],
  ]);
  #scheduled = new Set<OscillatorNode>();

  constructor(context: BaseAudioContext) {
    this.#context = context;
    this.output = context.createGain();
  }

  setScore(index: ScoreIndex): void {
    this.#beats = listBeats(index);
    this.#timeline = index.timeline;
  }

  /** Schedule the clicks of a span. */
  schedule(span: Span): void {
    const last = span.seconds + (span.until - span.from) * span.speed;
    for (const { quarters, level } of this.#beats) {
      const seconds = this.#timeline.toSeconds(quarters);
      if (seconds < span.seconds - 1e-6) continue;
      if (seconds >= last - 1e-6) break;
      this.click(span.from + (seconds - span.seconds) / span.speed, level);
    }
  }

  /** Schedule a click: a short, soft-edged tone, higher where a bar begins. */
  click(at: number, level: 1 | 2): void {
    const tone = this.#context.createOscillator();
    const shape = this.#context.createGain();
    tone.frequency.value = level === 2 ? 1760 : 1175;
    shape.gain.setValueAtTime(0, at);
    shape.gain.linearRampToValueAtTime(level === 2 ? 0.5 : 0.3, at + 0.001);
    shape.gain.exponentialRampToValueAtTime(0.001, at + 0.05);
    tone.connect(shape).connect(this.output);
    tone.start(at);
    tone.stop(at + 0.06);
    this.#scheduled.add(tone);
    tone.onended = () => this.#scheduled.delete(tone);
  }

  /** Take back clicks that are scheduled at a context time or later. */
  cancel(at: number): void {
    for (const tone of this.#scheduled) tone.stop(at);
    this.#scheduled.clear();
  }
}
