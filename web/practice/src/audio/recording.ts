/**
 * Plays the recording, or one of its stems, at any speed and pitch (signalsmith-stretch).
 *
 * The stretcher compensates its own latency: what is scheduled for a context time leaves the node at
 * this time, if it was scheduled {@link STRETCH_LEAD_S} before.
 */

import createStretch, { type StretchNode } from "signalsmith-stretch";
import type { Motion } from "../clock.ts";

/** How early a motion must be known: more than the stretcher's latency of 0.12 s. */
export const STRETCH_LEAD_S = 0.13;

/** How long fading takes where playing stops. */
const FADE_S = 0.02;

/** Samples are kept as 16 bits, in half of the memory. */
const FULL_SCALE = 32767;

export class Recording {
  readonly output: GainNode;
  readonly #context: AudioContext;
  readonly #node: StretchNode;
  readonly #gate: GainNode;
  #semitones = 0;
  #isFollowing = false;

  private constructor(context: AudioContext, node: StretchNode) {
    this.#context = context;
    this.#node = node;
    const scale = context.createGain();
    scale.gain.value = 1 / FULL_SCALE;
    this.#gate = context.createGain();
    this.#gate.gain.value = 0;
    this.output = context.createGain();
    node.connect(scale).connect(this.#gate).connect(this.output);
  }

  /**
   * Give a recording to a stretcher.
   *
   * @param url - of signalsmith-stretch's module, which is also its audio worklet
   */
  static async load(context: AudioContext, url: string, sound: AudioBuffer): Promise<Recording> {
    createStretch.moduleUrl = url;
    const node = await createStretch(context, {
      numberOfInputs: 1,
      numberOfOutputs: 1,
      outputChannelCount: [2],
    });
    const channels = toIntegers(sound);
    await node.addBuffers(
      channels,
      channels.map((channel) => channel.buffer),
    );
    return new Recording(context, node);
  }

  /** Whether it sounds: a recording that does not is not stretched, which would cost time. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Follow a motion of the clock. */
  follow(motion: Motion): void {
    this.#isFollowing = true;
    const { at, seconds, speed, loop } = motion;
    this.#node.schedule({
      output: at,
      active: true,
      input: seconds,
      rate: speed,
      semitones: this.#semitones,
      loopStart: loop?.start ?? 0,
      loopEnd: loop?.end ?? 0,
    });
    this.#fade(1, this.#context.currentTime);
  }

  /** Stop now. */
  stop(): void {
    this.#isFollowing = false;
    const now = this.#context.currentTime;
    this.#fade(0, now);
    this.#node.schedule({ active: false, output: now + FADE_S });
  }

  /** Shift the pitch by semitones, which may be fractions, of what is scheduled from now on. */
  transpose(semitones: number): void {
    this.#semitones = semitones;
  }

  #fade(to: 0 | 1, at: number): void {
    this.#gate.gain.cancelScheduledValues(at);
    this.#gate.gain.setTargetAtTime(to, at, FADE_S / 4);
  }
}

/** Return the channels as 16-bit samples; one channel if both are the same. */
function toIntegers(sound: AudioBuffer): Int16Array<ArrayBuffer>[] {
  const channels = Array.from({ length: Math.min(2, sound.numberOfChannels) }, (_, i) => {
    const samples = sound.getChannelData(i);
    const integers = new Int16Array(samples.length);
    for (let n = 0; n < samples.length; n++) {
      const sample = samples[n] as number;
      integers[n] = Math.round(FULL_SCALE * Math.min(1, Math.max(-1, sample)));
    }
    return integers;
  });
  const [left, right] = channels;
  if (left && right?.every((sample, n) => sample === left[n])) return [left];
  return channels;
}
