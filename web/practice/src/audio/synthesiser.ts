/** Plays the score's notes with sampled instruments, a channel for each part. */

import type { Span } from "../clock.ts";
import type { Note, Part, ScoreIndex } from "../score.ts";
import {
  type FromSynthesiser,
  type NoteEvent,
  PROCESSOR,
  type ToSynthesiser,
} from "./synthesiser_messages.ts";

/** MIDI's channel for drums. */
const DRUM_CHANNEL = 9;

/** How long a grace note sounds, in seconds; it ends where the note that it graces begins. */
const GRACE_S = 0.07;

/** The shortest note that is heard as one, in seconds. */
const SHORTEST_S = 0.03;

/** Gain that makes the instruments about as loud as a recording at full level. */
const LEVEL = 2;

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

/** Return when the notes that begin in a span begin and end; past a loop's end, nothing sounds. */
export function listEvents(
  index: ScoreIndex,
  channels: ReadonlyMap<string, number>,
  span: Span,
): NoteEvent[] {
  const { timeline } = index;
  const contextTime = (quarters: number) =>
    span.from + (timeline.toSeconds(quarters) - span.seconds) / span.speed;
  const from = timeline.toQuarters(span.seconds);
  const until = timeline.toQuarters(span.seconds + (span.until - span.from) * span.speed);
  // Rounding must not lose a note that begins with the span, nor play one twice.
  return index.notesStarting(from - 1e-7, until - 1e-7).flatMap((note) => {
    const channel = channels.get(note.part);
    if (channel === undefined) return [];
    const at = Math.max(span.from, contextTime(note.start));
    const begin = note.duration === 0 ? at - GRACE_S : at;
    const end = Math.max(contextTime(note.start + note.duration), begin + SHORTEST_S);
    const { pitch, velocity } = note;
    return [
      { at: begin, channel, pitch, velocity },
      {
        at: span.loopEnd === null ? end : Math.min(end, span.loopEnd),
        channel,
        pitch,
        velocity: 0,
      },
    ];
  });
}

export class Synthesiser {
  readonly output: GainNode;
  readonly #node: AudioWorkletNode;
  readonly #loaded = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, (message: FromSynthesiser) => void>();
  #index: ScoreIndex | null = null;
  #channels = new Map<string, number>();

  private constructor(context: AudioContext) {
    this.output = context.createGain();
    this.output.gain.value = LEVEL;
    this.#node = new AudioWorkletNode(context, PROCESSOR, {
      numberOfInputs: 0,
      outputChannelCount: [2],
    });
    this.#node.port.onmessage = ({ data }: MessageEvent<FromSynthesiser>) => {
      const key = data.type === "ready" ? data.type : `${data.type} ${data.id}`;
      this.#waiting.get(key)?.(data);
    };
    this.#node.connect(this.output);
  }

  /**
   * Start the synthesiser.
   *
   * @param url - of the built worklet/synthesiser.ts
   */
  static async start(context: AudioContext, url: string): Promise<Synthesiser> {
    await context.audioWorklet.addModule(url);
    const synthesiser = new Synthesiser(context);
    await synthesiser.#answer("ready");
    return synthesiser;
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
    const loading = this.#load(key, fetchBank);
    this.#loaded.set(key, loading);
    // After a fault it may be tried again.
    loading.catch(() => this.#loaded.delete(key));
    return loading;
  }

  async #load(id: string, fetchBank: (key: string) => Promise<ArrayBuffer>): Promise<void> {
    const data = await fetchBank(id);
    const loaded = this.#answer(`loaded ${id}`);
    this.#tell({ type: "bank", id, data }, [data]);
    const answer = await loaded;
    if (answer.type === "loaded" && answer.fault !== null) throw new Error(answer.fault);
    let left = 1;
    while (left > 0) {
      const decoded = this.#answer(`left ${id}`);
      this.#tell({ type: "decode", id });
      const message = await decoded;
      left = message.type === "left" ? message.samples : 0;
    }
  }

  /** Take over a score, whose instruments are loaded. */
  setScore(index: ScoreIndex): void {
    this.#index = index;
    this.#channels = assignChannels(index.score.parts);
    for (const part of index.score.parts) {
      const channel = this.#channels.get(part.id) ?? 0;
      if (!part.is_drum) this.#tell({ type: "program", channel, program: part.program });
    }
  }

  setPartGain(part: string, gain: number): void {
    const channel = this.#channels.get(part);
    if (channel !== undefined) this.#tell({ type: "gain", channel, gain });
  }

  /** Tune all instruments but drums, in cents from A440. */
  tune(cents: number): void {
    for (const channel of new Set(this.#channels.values())) {
      if (channel !== DRUM_CHANNEL) this.#tell({ type: "tune", channel, cents });
    }
  }

  /** Queue the notes that begin in a span. */
  schedule(span: Span): void {
    if (this.#index === null) return;
    const notes = listEvents(this.#index, this.#channels, span);
    if (notes.length > 0) this.#tell({ type: "notes", notes });
  }

  /** Take back what is queued for a context time or later, and end what sounds then. */
  cut(at: number): void {
    this.#tell({ type: "cut", at });
  }

  /** Let a note be heard for some seconds. */
  sound(note: Note, at: number, seconds: number): void {
    const channel = this.#channels.get(note.part);
    if (channel === undefined) return;
    const { pitch, velocity } = note;
    this.#tell({
      type: "notes",
      notes: [
        { at, channel, pitch, velocity },
        { at: at + seconds, channel, pitch, velocity: 0 },
      ],
    });
  }

  #tell(message: ToSynthesiser, transfer: Transferable[] = []): void {
    this.#node.port.postMessage(message, transfer);
  }

  /** Wait for an answer. */
  #answer(key: string): Promise<FromSynthesiser> {
    return new Promise((resolve) => {
      this.#waiting.set(key, (message) => {
        this.#waiting.delete(key);
        resolve(message);
      });
    });
  }
}
