/**
 * Starts, stops and moves the music: sets the clock in motion and lets what sounds follow it.
 *
 * The output is opened after the first touch of the page: browsers do not let it sound before.
 */

import type { Encoding, Source } from "../api.ts";
import { Clock, heardTime, type Loop, type Motion } from "../clock.ts";
import type { ScoreIndex } from "../score.ts";
import { Ensemble, type LoadingEvents } from "./ensemble.ts";
import { countIn } from "./metronome.ts";
import { defaultTracks, mix, type Track } from "./mixer.ts";
import { type Output, openOutput } from "./output.ts";
import { STRETCH_LEAD_S } from "./recording.ts";

/** How far ahead notes are queued: while the page is hidden, timers come only once a second. */
const AHEAD_S = { visible: 0.25, hidden: 1.6 };

const TICK_MS = 25;

/** So far from its edges, a time is surely in a passage, in seconds. */
const EDGE_S = 0.02;

/** The slowest and the fastest speed. */
export const SPEEDS = { min: 0.25, max: 1.5 };

/** A loop in the score, from bar to bar. */
export interface Passage {
  /** Indices of the first and last bar. */
  readonly first: number;
  readonly last: number;
}

export interface PlayerEvents extends LoadingEvents {
  /** Playing began or ended, or a setting changed. */
  changed(): void;
}

export class Player {
  readonly clock = new Clock();
  readonly #source: Source;
  readonly #events: PlayerEvents;
  #index: ScoreIndex;
  #output: Output | null = null;
  #ensemble: Ensemble | null = null;
  #tracks: Track[] = [];
  #speed = 1;
  #passage: Passage | null = null;
  #countsIn = false;
  #tuning = 0;
  #timer: ReturnType<typeof setInterval> | null = null;
  #scheduledUntil = 0;
  #starting: symbol | null = null;

  constructor(source: Source, index: ScoreIndex, events: PlayerEvents) {
    this.#source = source;
    this.#events = events;
    this.#index = index;
    this.#tracks = defaultTracks(index);
    this.clock.rest(index.timeline.toSeconds(0));
  }

  get isPlaying(): boolean {
    return this.clock.isRunning || this.#starting !== null;
  }

  get speed(): number {
    return this.#speed;
  }

  get passage(): Passage | null {
    return this.#passage;
  }

  get countsIn(): boolean {
    return this.#countsIn;
  }

  set countsIn(value: boolean) {
    this.#countsIn = value;
    this.#events.changed();
  }

  /** Tuning of everything that sounds, in cents from how it was recorded. */
  get tuning(): number {
    return this.#tuning;
  }

  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /** What everything sounds through, once it has; a test listens here. */
  get output(): Output | null {
    return this.#output;
  }

  /** The encoding of sounds that this browser decodes. */
  get encoding(): Encoding {
    return this.#ensemble?.encoding ?? "opus";
  }

  /** Return the recording time that is heard now, or some seconds later. */
  heardSeconds(later = 0): number {
    if (this.#output === null) return this.clock.position(0);
    return this.clock.position(heardTime(this.#output.context, this.#output.delay) + later);
  }

  /** Return the score position that is heard now, or some seconds later, in quarters. */
  heardQuarters(later = 0): number {
    return this.#index.timeline.toQuarters(this.heardSeconds(later));
  }

  /** Play from where the music rests. Only after a touch or a key does a browser let this sound. */
  async play(): Promise<void> {
    if (this.isPlaying) return;
    const starting = Symbol();
    this.#starting = starting;
    this.#events.changed();
    try {
      const ensemble = await this.#wake();
      await ensemble.prepare();
      if (this.#starting !== starting) return;
      let seconds = this.clock.position(0);
      if (seconds >= this.#lastSeconds() - 0.05) seconds = this.#firstSeconds();
      this.#launch(seconds, this.#countsIn);
      this.#timer = setInterval(() => this.#tick(), TICK_MS);
    } finally {
      if (this.#starting === starting) this.#starting = null;
      this.#events.changed();
    }
  }

  /** Stop where the music is heard. */
  pause(): void {
    this.#starting = null;
    if (this.clock.isRunning) this.#halt(this.heardSeconds());
    this.#events.changed();
  }

  /** Go to a score position. */
  seek(quarters: number): void {
    this.seekSeconds(this.#index.timeline.toSeconds(quarters));
  }

  /** Go to a recording time. */
  seekSeconds(seconds: number): void {
    const target = Math.min(Math.max(seconds, this.#firstSeconds()), this.#lastSeconds());
    if (this.clock.isRunning) this.#launch(target, false);
    else this.clock.rest(target);
    this.#events.changed();
  }

  setSpeed(speed: number): void {
    this.#speed = Math.min(SPEEDS.max, Math.max(SPEEDS.min, speed));
    this.#relaunch();
    this.#events.changed();
  }

  /** Repeat a passage, or nothing; go there if the music is elsewhere. */
  setPassage(passage: Passage | null): void {
    this.#passage = passage;
    const loop = this.#loop();
    if (loop !== null) {
      const seconds = this.heardSeconds();
      if (seconds < loop.start || seconds >= loop.end) this.seekSeconds(loop.start);
      else this.#relaunch();
    } else {
      this.#relaunch();
    }
    this.#events.changed();
  }

  /** Tune everything that sounds. */
  setTuning(cents: number): void {
    this.#tuning = cents;
    this.#ensemble?.setPitch(this.#semitones(), this.#pitchCents());
    this.#relaunch();
    this.#events.changed();
  }

  /** Change a fader; sounds that were silent are loaded. */
  setTrack(id: string, change: Partial<Omit<Track, "id" | "kind">>): void {
    this.#tracks = this.#tracks.map((track) => (track.id === id ? { ...track, ...change } : track));
    this.#ensemble?.setGains(mix(this.#tracks));
    void this.#ensemble?.prepare();
    this.#events.changed();
  }

  /** Take over a score of the same recording: another view, transposition or correction. */
  setScore(index: ScoreIndex): void {
    const seconds = this.heardSeconds();
    const loop = this.#loop();
    this.#index = index;
    const old = new Map(this.#tracks.map((track) => [track.id, track]));
    this.#tracks = defaultTracks(index).map((track) => old.get(track.id) ?? track);
    if (loop !== null) {
      // The same music, whatever its bars are now.
      const barAt = (time: number) => index.measureAt(index.timeline.toQuarters(time));
      this.#passage = { first: barAt(loop.start + EDGE_S), last: barAt(loop.end - EDGE_S) };
    }
    if (this.#ensemble !== null) {
      this.#ensemble.setScore(index);
      this.#ensemble.setPitch(this.#semitones(), this.#pitchCents());
      this.#ensemble.setGains(mix(this.#tracks));
      void this.#ensemble.prepare().then(() => this.#relaunch());
    }
    if (!this.clock.isRunning) this.clock.rest(seconds);
    this.#events.changed();
  }

  /** Let a note be heard while nothing plays; called during a touch, a click or a key. */
  async preview(noteId: string): Promise<void> {
    const note = this.#index.noteWithId(noteId);
    if (note === undefined || this.isPlaying) return;
    await (await this.#wake()).preview(note);
  }

  /** Open the output if it is not, and wake it. */
  async #wake(): Promise<Ensemble> {
    this.#output ??= this.#open();
    this.#ensemble ??= this.#assemble(this.#output);
    await this.#output.resume();
    return this.#ensemble;
  }

  #open(): Output {
    const output = openOutput();
    // A call or another page may take the sound away.
    output.context.addEventListener("statechange", () => {
      if (output.context.state !== "running" && this.clock.isRunning) this.pause();
    });
    // A hidden page's timers are slow: what is to be queued for that is queued now.
    document.addEventListener("visibilitychange", () => {
      if (this.clock.isRunning) this.#tick();
    });
    return output;
  }

  #assemble(output: Output): Ensemble {
    const join = () => (this.clock.isRunning ? this.#presentMotion(output) : null);
    const ensemble = new Ensemble(output, this.#source, this.#index, join, this.#events);
    ensemble.setPitch(this.#semitones(), this.#pitchCents());
    ensemble.setGains(mix(this.#tracks));
    return ensemble;
  }

  /** Cents from A440 at which everything sounds. */
  #pitchCents(): number {
    return (this.#index.score.tuning_cents ?? 0) + this.#tuning;
  }

  /** Concert pitch: the frequency of the A above middle C, in hertz, as everything sounds. */
  get concertPitch(): number {
    return 440 * 2 ** (this.#pitchCents() / 1200);
  }

  /** Semitones by which the recording is shifted: with the score, and by the tuning. */
  #semitones(): number {
    return this.#index.score.transpose + this.#tuning / 100;
  }

  /** Return the clock's motion as a source that joins in now can follow it. */
  #presentMotion({ context }: Output): Motion {
    const at = context.currentTime + STRETCH_LEAD_S;
    const motion = this.clock.motion as Motion;
    return motion.at > at ? motion : { ...motion, at, seconds: this.clock.position(at) };
  }

  /** Set the clock in motion, as soon as all sources can follow. */
  #launch(seconds: number, withCountIn: boolean): void {
    const { context } = this.#output as Output;
    const ensemble = this.#ensemble as Ensemble;
    let at = context.currentTime + STRETCH_LEAD_S;
    ensemble.cut(at);
    if (withCountIn) at = this.#countIn(at, seconds);
    const motion = { at, seconds, speed: this.#speed, loop: this.#loop() };
    this.clock.start(motion);
    ensemble.follow(this.clock.motion ?? motion);
    this.#scheduledUntil = at;
    this.#tick();
  }

  /** Launch again from where the music will be when all sources can follow, so that none is lost. */
  #relaunch(): void {
    if (!this.clock.isRunning || this.#output === null) return;
    const at = this.#output.context.currentTime + STRETCH_LEAD_S;
    this.#launch(this.clock.position(at), false);
  }

  /** Schedule the clicks of a count-in; return when the music begins. */
  #countIn(at: number, seconds: number): number {
    const beats = countIn(this.#index, this.#index.timeline.toQuarters(seconds));
    const pace = this.#index.timeline.tempoAt(seconds) * this.#speed;
    const first = beats[0];
    if (first === undefined) return at;
    const begin = at + first.before / pace;
    this.#ensemble?.countIn(beats, begin, pace);
    return begin;
  }

  #halt(seconds: number): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#ensemble?.stop();
    this.clock.rest(seconds);
  }

  /** Queue what begins soon; stop at the end. */
  #tick(): void {
    const { context } = this.#output as Output;
    const ahead = document.hidden ? AHEAD_S.hidden : AHEAD_S.visible;
    const until = context.currentTime + ahead;
    // After a pause of the timer, what is over is not played late.
    const from = Math.max(this.#scheduledUntil, context.currentTime - 0.02);
    for (const span of this.clock.spans(from, until)) this.#ensemble?.schedule(span);
    this.#scheduledUntil = Math.max(this.#scheduledUntil, until);
    if (this.clock.motion?.loop === null && this.heardSeconds() >= this.#lastSeconds()) {
      this.#halt(this.#lastSeconds());
      this.#events.changed();
    }
  }

  #loop(): Loop | null {
    if (this.#passage === null) return null;
    const { measures } = this.#index.score;
    const first = measures[this.#passage.first];
    const last = measures[this.#passage.last];
    if (first === undefined || last === undefined) return null;
    const { timeline } = this.#index;
    return { start: timeline.toSeconds(first.start), end: timeline.toSeconds(last.end) };
  }

  #firstSeconds(): number {
    return this.#index.timeline.toSeconds(0);
  }

  #lastSeconds(): number {
    return this.#index.timeline.toSeconds(this.#index.end);
  }
}
