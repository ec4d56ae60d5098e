/**
 * The synthesiser on the audio thread: spessasynth's core with a queue of notes.
 *
 * spessasynth_lib has a worklet of its own, whose clock lags behind the context's by the time of its
 * construction (0.11 s in Chromium), which plays notes at the edges of blocks, and whose queue cannot
 * be emptied. Here notes begin on their sample, by the context's clock, and can be taken back.
 */

import { SoundBankLoader, SpessaSynthProcessor } from "spessasynth_core";
import {
  type FromSynthesiser,
  type NoteEvent,
  PROCESSOR,
  type ToSynthesiser,
} from "../audio/synthesiser_messages.ts";

/** How long decoding may hold up the audio thread, beside the sample that it has begun. */
const DECODING_S = 0.003;

/** MIDI's controller that ends notes without their release. */
const ALL_SOUND_OFF = 120;

type Queued = NoteEvent | { readonly at: number; readonly channel: null };

class SynthesiserProcessor extends AudioWorkletProcessor {
  readonly #synth = new SpessaSynthProcessor(sampleRate, { eventsEnabled: false });
  /** In order of time. */
  #queue: Queued[] = [];

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToSynthesiser>) => this.#receive(data);
    void this.#synth.processorInitialized.then(() => this.#tell({ type: "ready" }));
  }

  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (left === undefined || right === undefined) return true;
    let done = 0;
    while (done < left.length) {
      const next = this.#queue[0];
      const frame =
        next === undefined ? left.length : Math.round((next.at - currentTime) * sampleRate);
      if (next !== undefined && frame <= done) {
        this.#queue.shift();
        this.#play(next);
        continue;
      }
      const until = Math.min(frame, left.length);
      this.#synth.process(left, right, done, until - done);
      done = until;
    }
    return true;
  }

  #play(event: Queued): void {
    if (event.channel === null) this.#silence();
    else if (event.velocity > 0) {
      this.#synth.noteOn(event.channel, event.pitch, event.velocity);
    } else {
      this.#synth.noteOff(event.channel, event.pitch);
    }
  }

  #silence(): void {
    for (let channel = 0; channel < this.#synth.midiChannels.length; channel++) {
      this.#synth.controllerChange(channel, ALL_SOUND_OFF, 0);
    }
  }

  #receive(message: ToSynthesiser): void {
    switch (message.type) {
      case "bank":
        this.#load(message.id, message.data);
        break;
      case "decode":
        this.#decode(message.id);
        break;
      case "program":
        this.#synth.programChange(this.#reach(message.channel), message.program);
        break;
      case "gain":
        this.#channel(message.channel)?.setSystemParameter("gain", message.gain);
        break;
      case "tune":
        this.#channel(message.channel)?.setSystemParameter("fineTune", message.cents);
        break;
      case "notes":
        this.#queue.push(...message.notes);
        // The sort is stable: of notes at the same time, an end that was sent first comes first.
        this.#queue.sort((a, b) => a.at - b.at);
        break;
      case "cut":
        this.#queue = this.#queue.filter(({ at }) => at < message.at);
        this.#queue.push({ at: message.at, channel: null });
        break;
    }
  }

  #load(id: string, data: ArrayBuffer): void {
    let fault: string | null = null;
    try {
      this.#synth.soundBankManager.addSoundBank(SoundBankLoader.fromArrayBuffer(data), id);
    } catch (error) {
      fault = String(error);
    }
    this.#tell({ type: "loaded", id, fault });
  }

  /** Decode some samples: otherwise each would hold up the first note that needs it. */
  #decode(id: string): void {
    const bank = this.#synth.soundBankManager.soundBankList.find((entry) => entry.id === id);
    const samples = (bank?.soundBank.samples ?? []).filter((sample) => !isDecoded.has(sample));
    const began = Date.now();
    let left = samples.length;
    for (const sample of samples) {
      sample.getAudioData();
      isDecoded.add(sample);
      left -= 1;
      if (Date.now() - began > 1000 * DECODING_S) break;
    }
    this.#tell({ type: "left", id, samples: left });
  }

  #channel(number: number) {
    return this.#synth.midiChannels[this.#reach(number)];
  }

  /** Return a channel's number, after channels were added up to it. */
  #reach(number: number): number {
    while (this.#synth.midiChannels.length <= number) this.#synth.createMIDIChannel();
    return number;
  }

  #tell(message: FromSynthesiser): void {
    this.port.postMessage(message);
  }
}

const isDecoded = new WeakSet<object>();

registerProcessor(PROCESSOR, SynthesiserProcessor);
