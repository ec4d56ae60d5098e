/**
 * Starts, stops and moves the music: sets the clock in motion and lets every source follow it.
 *
 * Sources are created when they are first needed, after the first touch of the page: browsers do
 * not let it sound before.
 */

import type { Source } from "../api.ts";
import { Clock, heardTime, type Loop, type Motion } from "../clock.ts";
import type { ScoreIndex } from "../score.ts";
import { countIn, Metronome } from "./metronome.ts";
import { mix, type Track, UNITY } from "./mixer.ts";
import { type Output, openOutput } from "./output.ts";
import { Recording, STRETCH_LEAD_S } from "./recording.ts";
import { instrumentOf, Synthesiser } from "./synthesiser.ts";

/** How far ahead notes are queued: while the page is hidden, timers come only once a second. */
const AHEAD_S = { visible: 0.25, hidden: 1.6 };

const TICK_MS = 25;

/** How long a note is heard that was tapped or changed, in seconds. */
const PREVIEW_S = 0.4;

/** So far from its edges, a time is surely in a passage, in seconds. */
const EDGE_S = 0.02;

/** The slowest and the fastest speed. */
export const SPEEDS = { min: 0.25, max: 1.5 };

/** The fader of the metronome. */
export const CLICK = "click";

/** A loop in the score, from bar to bar. */
export interface Passage {
  /** Indices of the first and last bar. */
  readonly first: number;
  readonly last: number;
}

export interface PlayerEvents {
  /** Playing began or ended, or a setting changed. */
  changed(): void;
  /** Loading began (with the number of things to load) or went on. */
  loading(left: number): void;
  /** Something could not be loaded; the rest plays. */
  failed(what: string, fault: unknown): void;
}

export class Player {
  readonly clock = new Clock();
  readonly #source: Source;
  readonly #events: PlayerEvents;
  #index: ScoreIndex;
  #output: Output | null = null;
  #synthesiser: Promise<Synthesiser> | null = null;
  #ready: Synthesiser | null = null;
  #metronome: Metronome | null = null;
  readonly #recordings = new Map<string, Recording>();
  readonly #loadingSounds = new Map<string, Promise<void>>();
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

  /** Return the recording time that is heard now, in seconds. */
  heardSeconds(): number {
    if (this.#output === null) return this.clock.position(0);
    return this.clock.position(heardTime(this.#output.context, this.#output.delay));
  }

  /** Return the score position that is heard now, in quarters. */
  heardQuarters(): number {
    return this.#index.timeline.toQuarters(this.heardSeconds());
  }

  /** Play from where the music rests. Only after a touch or a key does a browser let this sound. */
  async play(): Promise<void> {
    if (this.isPlaying) return;
    const starting = Symbol();
    this.#starting = starting;
    this.#events.changed();
    try {
      await this.#wake();
      await this.#prepare();
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
    this.#ready?.tune(this.#pitchCents());
    for (const recording of this.#recordings.values()) recording.transpose(this.#semitones());
    this.#relaunch();
    this.#events.changed();
  }

  /** Change a fader; sounds that were silent are loaded. */
  setTrack(id: string, change: Partial<Omit<Track, "id" | "kind">>): void {
    this.#tracks = this.#tracks.map((track) => (track.id === id ? { ...track, ...change } : track));
    this.#applyGains();
    if (this.#output !== null) void this.#prepare();
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
    this.#metronome?.setScore(index);
    for (const recording of this.#recordings.values()) recording.transpose(this.#semitones());
    if (this.#output !== null) {
      void this.#prepare().then(() => this.#relaunch());
    }
    if (!this.clock.isRunning) this.clock.rest(seconds);
    this.#events.changed();
  }

  /** Let a note be heard while nothing plays; called during a touch, a click or a key. */
  async preview(noteId: string): Promise<void> {
    const note = this.#index.noteWithId(noteId);
    if (note === undefined || this.isPlaying) return;
    await this.#wake();
    await this.#loadInstruments();
    const synthesiser = await this.#synthesise();
    synthesiser.setPartGain(note.part, 1);
    synthesiser.sound(note, (this.#output as Output).context.currentTime + 0.01, PREVIEW_S);
    setTimeout(() => this.#applyGains(), 1000 * PREVIEW_S + 300);
  }

  /** Open the output and wake it. */
  async #wake(): Promise<void> {
    if (this.#output === null) {
      this.#output = openOutput();
      // A call or another page may take the sound away.
      this.#output.context.addEventListener("statechange", () => {
        if (this.#output?.context.state !== "running" && this.clock.isRunning) this.pause();
      });
      // A hidden page's timers are slow: what is to be queued for that is queued now.
      document.addEventListener("visibilitychange", () => {
        if (this.clock.isRunning) this.#tick();
      });
    }
    await this.#output.resume();
  }

  /** Create and load what is to be heard and is not there yet. */
  async #prepare(): Promise<void> {
    const output = this.#output as Output;
    if (this.#metronome === null) {
      this.#metronome = new Metronome(output.context);
      this.#metronome.setScore(this.#index);
      this.#metronome.output.connect(output.input);
    }
    const gains = mix(this.#tracks);
    const isHeard = (id: string) => (gains.get(id) ?? 0) > 0;
    const sounds = this.#index.score.sounds.filter((name) => isHeard(`sound:${name}`));
    const work = sounds.map((name) => this.#loadSound(name));
    const parts = this.#index.score.parts.filter(({ id }) => isHeard(`part:${id}`));
    if (parts.length > 0) work.push(this.#loadInstruments());
    let left = work.length;
    this.#events.loading(left);
    await Promise.all(work.map((one) => one.finally(() => this.#events.loading(--left))));
    this.#applyGains();
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
    synthesiser.tune(this.#pitchCents());
  }

  #synthesise(): Promise<Synthesiser> {
    const output = this.#output as Output;
    this.#synthesiser ??= Synthesiser.start(output.context, this.#source.synthesiserUrl).then(
      (synthesiser) => {
        synthesiser.output.connect(output.input);
        this.#ready = synthesiser;
        return synthesiser;
      },
    );
    return this.#synthesiser;
  }

  #loadSound(name: string): Promise<void> {
    const output = this.#output as Output;
    const known = this.#loadingSounds.get(name);
    if (known) return known;
    const loading = this.#source
      .fetchSound(name)
      .then((file) => Recording.load(output.context, this.#source.stretcherUrl, file))
      .then((recording) => {
        recording.output.connect(output.input);
        recording.transpose(this.#semitones());
        this.#recordings.set(name, recording);
        this.#applyGains();
      })
      .catch((fault) => {
        console.error(fault);
        this.#loadingSounds.delete(name);
        this.#events.failed(name, fault);
      });
    this.#loadingSounds.set(name, loading);
    return loading;
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

  #applyGains(): void {
    const context = this.#output?.context;
    if (context === undefined) return;
    const gains = mix(this.#tracks);
    const set = (gain: AudioParam, id: string) =>
      gain.setTargetAtTime(gains.get(id) ?? 0, context.currentTime, 0.015);
    for (const [name, recording] of this.#recordings) {
      const id = `sound:${name}`;
      set(recording.output.gain, id);
      const isHeard = this.clock.isRunning && (gains.get(id) ?? 0) > 0;
      if (isHeard && !recording.isFollowing) recording.follow(this.#presentMotion());
      if (!isHeard && recording.isFollowing) recording.stop();
    }
    if (this.#metronome) set(this.#metronome.output.gain, CLICK);
    for (const { id } of this.#index.score.parts) {
      this.#ready?.setPartGain(id, gains.get(`part:${id}`) ?? 0);
    }
  }

  /** Return the clock's motion as a source that joins in now can follow it. */
  #presentMotion(): Motion {
    const at = (this.#output as Output).context.currentTime + STRETCH_LEAD_S;
    const motion = this.clock.motion as Motion;
    return motion.at > at ? motion : { ...motion, at, seconds: this.clock.position(at) };
  }

  /** Set the clock in motion, as soon as all sources can follow. */
  #launch(seconds: number, withCountIn: boolean): void {
    const { context } = this.#output as Output;
    const now = context.currentTime;
    let at = now + STRETCH_LEAD_S;
    this.#metronome?.cancel(at);
    this.#ready?.cut(at);
    if (withCountIn) at = this.#scheduleCountIn(at, seconds);
    const motion = { at, seconds, speed: this.#speed, loop: this.#loop() };
    this.clock.start(motion);
    const followed = this.clock.motion ?? motion;
    const gains = mix(this.#tracks);
    for (const [name, recording] of this.#recordings) {
      if ((gains.get(`sound:${name}`) ?? 0) > 0) recording.follow(followed);
    }
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
  #scheduleCountIn(at: number, seconds: number): number {
    const quarters = this.#index.timeline.toQuarters(seconds);
    const beats = countIn(this.#index, quarters);
    const pace = this.#index.timeline.tempoAt(seconds) * this.#speed;
    const first = beats[0];
    if (first === undefined) return at;
    const begin = at + first.before / pace;
    const metronome = this.#metronome as Metronome;
    // The count-in is heard even if the metronome is off.
    metronome.output.gain.setValueAtTime(1, this.#output?.context.currentTime ?? 0);
    for (const beat of beats) metronome.click(begin - beat.before / pace, beat.level);
    const gain = mix(this.#tracks).get(CLICK) ?? 0;
    metronome.output.gain.setValueAtTime(gain, begin - 0.01);
    return begin;
  }

  #halt(seconds: number): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const now = (this.#output as Output).context.currentTime;
    for (const recording of this.#recordings.values()) recording.stop();
    this.#metronome?.cancel(now);
    this.#ready?.cut(now);
    this.clock.rest(seconds);
  }

  /** Queue what begins soon; stop at the end. */
  #tick(): void {
    const { context } = this.#output as Output;
    const ahead = document.hidden ? AHEAD_S.hidden : AHEAD_S.visible;
    const until = context.currentTime + ahead;
    // After a pause of the timer, what is over is not played late.
    const from = Math.max(this.#scheduledUntil, context.currentTime - 0.02);
    for (const span of this.clock.spans(from, until)) {
      this.#ready?.schedule(span);
      if ((mix(this.#tracks).get(CLICK) ?? 0) > 0) this.#metronome?.schedule(span);
    }
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

/** Return the faders of a score: the recording sounds, or the instruments if there is none. */
function defaultTracks(index: ScoreIndex): Track[] {
  const { sounds, parts } = index.score;
  const fader = { volume: UNITY, isSolo: false };
  const hasRecording = sounds.includes("recording");
  return [
    ...sounds.map(
      (name): Track => ({
        ...fader,
        id: `sound:${name}`,
        kind: "sound",
        isMuted: name !== "recording",
      }),
    ),
    ...parts.map(
      ({ id }): Track => ({ ...fader, id: `part:${id}`, kind: "part", isMuted: hasRecording }),
    ),
    { ...fader, id: CLICK, kind: "click", isMuted: true },
  ];
}
