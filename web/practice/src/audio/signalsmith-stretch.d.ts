/** The part of signalsmith-stretch's interface that this page uses; the package brings no types. */
declare module "signalsmith-stretch" {
  export interface Schedule {
    /** Context time from which the rest holds; until then, what was scheduled before. */
    output?: number;
    active?: boolean;
    /** Seconds within the buffers, at `output`. */
    input?: number;
    rate?: number;
    semitones?: number;
    loopStart?: number;
    /** With `loopStart`, a part of the buffers that is repeated; none if both are the same. */
    loopEnd?: number;
  }

  export interface StretchNode extends AudioWorkletNode {
    schedule(change: Schedule): Promise<unknown>;
    addBuffers(channels: ArrayBufferView[], transfer: ArrayBuffer[]): Promise<number>;
    dropBuffers(): Promise<unknown>;
    latency(): Promise<number>;
    configure(options: { preset?: "default" | "cheaper" }): Promise<unknown>;
  }

  interface CreateStretch {
    (context: AudioContext, options?: AudioWorkletNodeOptions): Promise<StretchNode>;
    /** Address of the package's own module, where it may not be loaded from a blob. */
    moduleUrl?: string;
  }

  const createStretch: CreateStretch;
  export default createStretch;
}
