/** Plays the score's notes with sampled instruments (spessasynth), a channel for each part. */

import { WorkletSynthesizer } from "spessasynth_lib";
import type { Span } from "../clock.ts";
import type { Note, Part, ScoreIndex } from "../score.ts";

/** MIDI's channel for drums. */
const DRUM_CHANNEL = 9;

/** Controllers of MIDI. */
const ALL_SOUND_OFF = 120;

/** How long a grace note sounds, in seconds; it ends where the note that it graces begins. */
const GRACE_S = 0.07;

interface Ending {
  readonly channel: number;
  readonly pitch: number;
  readonly at: number;
}

/** Return the channel of each part; all drums share one. */
export function assignChannels(parts: readonly Part[]): Map<string, number> {
  let next = 0;
  return new Map(
    parts.map((part) => {
      if (part.is_drum) return [part.id, DRUM_CHANNEL];
      const channel = next;
      next = next + 1 === DRUM_CHANNEL ? next + 2 : next + 1;
      return [part.id, channel];
    }),
  );
}

/** Return the key of a part's instrument in the index of sounds. */
export function instrumentOf(part: Part): string {
  return part.is_drum ? "drums" : String(part.program);
}

export class Synthesiser {
  readonly output: GainNode;
  readonly #synth: WorkletSynthesizer;
  readonly #loaded = new Map<string, Promise<void>>();
  #index: ScoreIndex | null = null;
  #channels = new Map<string, number>();
  #endings: Ending[] = [];
  #queuedUntil = 0;

  private constructor(context: AudioContext) {
    this.output = context.createGain();
    this.#synth = new WorkletSynthesizer(context, { eventsEnabled: false, oneOutput: false });
    this.#synth.connect(this.output);
  }

  /**
   * Start the synthesiser.
   *
   * @param url - of spessasynth's audio worklet
   */
  static async start(context: AudioContext, url: string): Promise<Synthesiser> {
    await context.audioWorklet.addModule(url);
    const synthesiser = new Synthesiser(context);
    return synthesiser;
  }

  /** The context time until which notes are queued, and can no longer be taken back. */
  get queuedUntil(): number {
    return this.#queuedUntil;
  }

  /**
   * Load an instrument if it is not.
   *
   * @param key - see {@link instrumentOf}
   * @param fetchBank - fetches its sounds
   */
  load(key: string, fetchBank: (key: string) => Promise<ArrayBuffer>): Promise<void> {
    const known = this.#loaded.get(key);
    if (known) return known;
    const loading = fetchBank(key).then(async (bank) => {
      await this.#synth.soundBankManager.addSoundBank(bank, key);
      await this.#synth.isReady;
    });
    this.#loaded.set(key, loading);
    // After a fault it may be tried again.
    loading.catch(() => this.#loaded.delete(key));
    return loading;
  }

  /** Take over a score, whose instruments are loaded. */
  setScore(index: ScoreIndex): void {
    this.#index = index;
    this.#channels = assignChannels(index.score.parts);
    for (const part of index.score.parts) {
      const channel = this.#channelOf(part.id);
      while (this.#synth.channelCount <= channel) this.#synth.addNewChannel();
      if (!part.is_drum) this.#synth.programChange(channel, part.program);
    }
  }

  setPartGain(part: string, gain: number): void {
    const channel = this.#channels.get(part);
    if (channel !== undefined) this.#channelAt(channel).setSystemParameter("gain", gain);
  }

  /** Tune all instruments, in cents from A440. */
  tune(cents: number): void {
    for (const channel of new Set(this.#channels.values())) {
      if (channel !== DRUM_CHANNEL) {
        this.#channelAt(channel).setSystemParameter("fineTune", cents);
      }
    }
  }

  /** Queue the notes that begin in a span, and what ends in it. */
  schedule(span: Span): void {
    if (this.#index === null) return;
    const { timeline } = this.#index;
    const contextTime = (quarters: number) =>
      span.from + (timeline.toSeconds(quarters) - span.seconds) / span.speed;
    const from = timeline.toQuarters(span.seconds);
    const until = timeline.toQuarters(span.seconds + (span.until - span.from) * span.speed);
    for (const note of this.#index.notesStarting(from, until)) {
      const at = Math.max(contextTime(note.start), span.from);
      const end = contextTime(note.start + note.duration);
      this.#play(note, at, span.isCut ? Math.min(end, span.until) : end);
    }
    this.#finish(span.until);
    this.#queuedUntil = Math.max(this.#queuedUntil, span.until);
  }

  /** Silence everything at a context time, which must not lie before {@link queuedUntil}. */
  silence(at: number): void {
    this.#endings = [];
    for (const channel of new Set(this.#channels.values())) {
      this.#synth.controllerChange(channel, ALL_SOUND_OFF, 0, { time: at });
    }
  }

  /** Let a note be heard at once, for instance where it was edited. */
  sound(note: Note, at: number, seconds: number): void {
    this.#play({ ...note, duration: 1 }, at, at + seconds);
    this.#finish(at + seconds + 0.01);
  }

  #play(note: Note, at: number, end: number): void {
    const channel = this.#channels.get(note.part);
    if (channel === undefined) return;
    const isGrace = note.duration === 0;
    const begin = isGrace ? at - GRACE_S : at;
    const { pitch } = note;
    // A repeated note ends the one before.
    const sounding = this.#endings.filter((e) => e.channel === channel && e.pitch === pitch);
    for (const ending of sounding) this.#end({ ...ending, at: Math.min(ending.at, begin) });
    this.#endings = this.#endings.filter((ending) => !sounding.includes(ending));
    this.#synth.noteOn(channel, pitch, note.velocity, { time: begin });
    this.#endings.push({ channel, pitch, at: isGrace ? at : Math.max(end, at + 0.03) });
  }

  #finish(until: number): void {
    const [due, later] = [[] as Ending[], [] as Ending[]];
    for (const ending of this.#endings) (ending.at <= until ? due : later).push(ending);
    this.#endings = later;
    for (const ending of due) this.#end(ending);
  }

  #end({ channel, pitch, at }: Ending): void {
    this.#synth.noteOff(channel, pitch, { time: at });
  }

  #channelOf(part: string): number {
    return this.#channels.get(part) ?? 0;
  }

  #channelAt(channel: number) {
    const found = this.#synth.midiChannels[channel];
    if (found === undefined) throw new Error(`no channel ${channel}`);
    return found;
  }
}
