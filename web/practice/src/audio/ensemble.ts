/**
 * Everything that sounds: the recording and its stems, the instruments of the score, and the
 * metronome. Each is loaded when it is to be heard for the first time.
 */

import type { Encoding, Source } from "../api.ts";
import type { Motion, Span } from "../clock.ts";
import type { Note, ScoreIndex } from "../score.ts";
import { type CountedBeat, Metronome } from "./metronome.ts";
import { CLICK, type Gains } from "./mixer.ts";
import type { Output } from "./output.ts";
import { Recording } from "./recording.ts";
import { instrumentOf, Synthesiser } from "./synthesiser.ts";

/** How long a note is heard that was tapped or changed, in seconds. */
const PREVIEW_S = 0.4;

/** How fast gains change, in seconds. */
const GLIDE_S = 0.015;

export interface LoadingEvents {
  /** Loading began (with the number of things to load) or went on. */
  loading(left: number): void;
  /** Something could not be loaded; the rest plays. */
  failed(what: string, fault: unknown): void;
}

export class Ensemble {
  readonly #output: Output;
  readonly #source: Source;
  readonly #events: LoadingEvents;
  readonly #motion: () => Motion | null;
  readonly #metronome: Metronome;
  readonly #recordings = new Map<string, Recording>();
  readonly #loading = new Map<string, Promise<void>>();
  #synthesiser: Promise<Synthesiser> | null = null;
  #ready: Synthesiser | null = null;
  #index: ScoreIndex;
  #gains: Gains = new Map();
  #semitones = 0;
  #cents = 0;
  #encoding: Encoding = preferredEncoding();

  /**
   * @param output - what everything sounds through
   * @param motion - returns the motion that who joins in now has to follow; null at rest
   */
  constructor(
    output: Output,
    source: Source,
    index: ScoreIndex,
    motion: () => Motion | null,
    events: LoadingEvents,
  ) {
    this.#output = output;
    this.#source = source;
    this.#events = events;
    this.#motion = motion;
    this.#index = index;
    this.#metronome = new Metronome(output.context);
    this.#metronome.setScore(index);
    this.#metronome.output.connect(output.input);
  }

  /** The encoding of sounds that this browser decodes. */
  get encoding(): Encoding {
    return this.#encoding;
  }

  /** Take over a score; {@link prepare} loads what it needs. */
  setScore(index: ScoreIndex): void {
    this.#index = index;
    this.#metronome.setScore(index);
  }

  /**
   * Shift the pitch of what is scheduled from now on.
   *
   * @param semitones - of the recording
   * @param cents - of the instruments, from A440
   */
  setPitch(semitones: number, cents: number): void {
    this.#semitones = semitones;
    this.#cents = cents;
    for (const recording of this.#recordings.values()) recording.transpose(semitones);
    this.#ready?.tune(cents);
  }

  /** Set how loud each track is; recordings that are silent rest. */
  setGains(gains: Gains): void {
    this.#gains = gains;
    const { currentTime } = this.#output.context;
    for (const [name, recording] of this.#recordings) {
      const gain = this.#gainOf(`sound:${name}`);
      recording.output.gain.setTargetAtTime(gain, currentTime, GLIDE_S);
      const motion = gain > 0 ? this.#motion() : null;
      if (motion && !recording.isFollowing) recording.follow(motion);
      if (!motion && recording.isFollowing) recording.stop();
    }
    this.#metronome.output.gain.setTargetAtTime(this.#gainOf(CLICK), currentTime, GLIDE_S);
    for (const { id } of this.#index.score.parts) {
      this.#ready?.setPartGain(id, this.#gainOf(`part:${id}`));
    }
  }

  /** Load what is to be heard and is not there yet. */
  async prepare(): Promise<void> {
    const { sounds, parts } = this.#index.score;
    const work = sounds
      .filter((name) => this.#gainOf(`sound:${name}`) > 0)
      .map((name) => this.#loadSound(name));
    if (parts.some(({ id }) => this.#gainOf(`part:${id}`) > 0)) work.push(this.#loadInstruments());
    let left = work.length;
    this.#events.loading(left);
    await Promise.all(work.map((one) => one.finally(() => this.#events.loading(--left))));
    this.setGains(this.#gains);
  }

  /** Let all that is to be heard follow a motion. */
  follow(motion: Motion): void {
    for (const [name, recording] of this.#recordings) {
      if (this.#gainOf(`sound:${name}`) > 0) recording.follow(motion);
    }
  }

  /** Queue what begins in a span. */
  schedule(span: Span): void {
    this.#ready?.schedule(span);
    if (this.#gainOf(CLICK) > 0) this.#metronome.schedule(span);
  }

  /** Count in; it is heard even if the metronome is off. */
  countIn(beats: readonly CountedBeat[], begin: number, pace: number): void {
    const { gain } = this.#metronome.output;
    gain.setValueAtTime(1, this.#output.context.currentTime);
    for (const beat of beats) this.#metronome.click(begin - beat.before / pace, beat.level);
    gain.setValueAtTime(this.#gainOf(CLICK), begin - 0.01);
  }

  /** Take back what is queued for a context time or later. */
  cut(at: number): void {
    this.#metronome.cancel(at);
    this.#ready?.cut(at);
  }

  /** Stop now. */
  stop(): void {
    for (const recording of this.#recordings.values()) recording.stop();
    this.cut(this.#output.context.currentTime);
  }

  /** Let a note be heard, whatever the faders say. */
  async preview(note: Note): Promise<void> {
    await this.#loadInstruments();
    const synthesiser = await this.#synthesise();
    synthesiser.setPartGain(note.part, 1);
    synthesiser.sound(note, this.#output.context.currentTime + 0.01, PREVIEW_S);
    setTimeout(() => this.setGains(this.#gains), 1000 * PREVIEW_S + 300);
  }

  #gainOf(track: string): number {
    return this.#gains.get(track) ?? 0;
  }

  async #loadInstruments(): Promise<void> {
    const index = this.#index;
    const synthesiser = await this.#synthesise();
    const keys = new Set(index.score.parts.map(instrumentOf));
    await Promise.all(
      [...keys].map((key) =>
        synthesiser
          .load(key, (name) => this.#source.fetchBank(name))
          .catch((fault) => this.#events.failed(`instrument ${key}`, fault)),
      ),
    );
    synthesiser.setScore(index);
    synthesiser.tune(this.#cents);
  }

  #synthesise(): Promise<Synthesiser> {
    const { context, input } = this.#output;
    this.#synthesiser ??= Synthesiser.start(context, this.#source.synthesiserUrl).then(
      (synthesiser) => {
        synthesiser.output.connect(input);
        this.#ready = synthesiser;
        return synthesiser;
      },
    );
    return this.#synthesiser;
  }

  #loadSound(name: string): Promise<void> {
    const known = this.#loading.get(name);
    if (known) return known;
    const { context, input } = this.#output;
    const loading = this.#decode(name)
      .then((sound) => Recording.load(context, this.#source.stretcherUrl, sound))
      .then((recording) => {
        recording.output.connect(input);
        recording.transpose(this.#semitones);
        this.#recordings.set(name, recording);
        this.setGains(this.#gains);
      })
      .catch((fault) => {
        console.error(fault);
        this.#loading.delete(name);
        this.#events.failed(name, fault);
      });
    this.#loading.set(name, loading);
    return loading;
  }

  /** Fetch and decode a sound; a browser that does not decode Opus gets it, and all others, as FLAC. */
  async #decode(name: string): Promise<AudioBuffer> {
    const { context } = this.#output;
    if (this.#encoding === "opus") {
      const file = await this.#source.fetchSound(name, "opus");
      try {
        return await context.decodeAudioData(file);
      } catch {
        this.#encoding = "flac";
      }
    }
    return context.decodeAudioData(await this.#source.fetchSound(name, "flac"));
  }
}

/** Safari before 18.4 says that it does not play Opus in Ogg. */
function preferredEncoding(): Encoding {
  return new Audio().canPlayType('audio/ogg; codecs="opus"') === "" ? "flac" : "opus";
}
