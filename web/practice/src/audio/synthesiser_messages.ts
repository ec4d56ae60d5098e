/** What the page and its synthesiser, which runs on the audio thread, tell each other. */

/** A note begins, or ends if its velocity is 0. */
export interface NoteEvent {
  /** Context time, in seconds. */
  readonly at: number;
  readonly channel: number;
  readonly pitch: number;
  readonly velocity: number;
}

export type ToSynthesiser =
  /** Take over an instrument's sounds; answered by `loaded`. */
  | { readonly type: "bank"; readonly id: string; readonly data: ArrayBuffer }
  /** Decode the sounds that are not yet, for a few milliseconds; answered by `left`. */
  | { readonly type: "decode"; readonly id: string }
  | { readonly type: "program"; readonly channel: number; readonly program: number }
  | { readonly type: "gain"; readonly channel: number; readonly gain: number }
  | { readonly type: "tune"; readonly channel: number; readonly cents: number }
  /** Play at their times; those that are past, at once. */
  | { readonly type: "notes"; readonly notes: readonly NoteEvent[] }
  /** Forget what is to be played at a context time or later, and end what sounds then. */
  | { readonly type: "cut"; readonly at: number };

export type FromSynthesiser =
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly id: string; readonly fault: string | null }
  | { readonly type: "left"; readonly id: string; readonly samples: number };

export const PROCESSOR = "notabot-synthesiser";
