/** The AudioContext, as loud as a browser lets it be. */

export interface Output {
  readonly context: AudioContext;
  /** Where sources connect. */
  readonly input: AudioNode;
  /** How much later than the context knows it sounds, in seconds. */
  readonly delay: number;
  /** Wake the context; must be called during a touch, a click or a key. */
  resume(): Promise<void>;
}

/** By so much browsers delay what goes through a compressor, to look ahead. */
const LOOK_AHEAD_S = 0.006;

/** No audio worklets: the page was not loaded over HTTPS, or the browser is too old. */
export class SoundUnavailable extends Error {}

interface WithAudioSession extends Navigator {
  audioSession?: { type: string };
}

/**
 * Open the output.
 *
 * iPhones mute Web Audio by their silent switch, unless the page says that it plays music
 * (`navigator.audioSession`, from iOS 17) or a media element sounds beside (before).
 */
export function openOutput(): Output {
  const context = new AudioContext({ latencyHint: "interactive" });
  if (!context.audioWorklet) throw new SoundUnavailable();
  const limiter = context.createDynamicsCompressor();
  // Only peaks of several loud tracks together are touched.
  limiter.threshold.value = -3;
  limiter.knee.value = 0;
  limiter.ratio.value = 20;
  limiter.attack.value = 0.002;
  limiter.release.value = 0.1;
  limiter.connect(context.destination);
  const session = (navigator as WithAudioSession).audioSession;
  if (session) session.type = "playback";
  const beside = !session && "ontouchstart" in window ? silentElement() : null;
  return {
    context,
    input: limiter,
    delay: LOOK_AHEAD_S,
    async resume(): Promise<void> {
      void beside?.play().catch(() => undefined);
      if (context.state !== "running") await context.resume();
    },
  };
}

/** Return a media element that plays half a second of silence for ever. */
function silentElement(): HTMLAudioElement {
  const rate = 8000;
  const samples = rate / 2;
  const wave = new DataView(new ArrayBuffer(44 + samples));
  const write = (at: number, text: string) => {
    for (let i = 0; i < text.length; i++) wave.setUint8(at + i, text.charCodeAt(i));
  };
  write(0, "RIFF");
  wave.setUint32(4, 36 + samples, true);
  write(8, "WAVEfmt ");
  wave.setUint32(16, 16, true);
  wave.setUint16(20, 1, true);
  wave.setUint16(22, 1, true);
  wave.setUint32(24, rate, true);
  wave.setUint32(28, rate, true);
  wave.setUint16(32, 1, true);
  wave.setUint16(34, 8, true);
  write(36, "data");
  wave.setUint32(40, samples, true);
  for (let i = 0; i < samples; i++) wave.setUint8(44 + i, 128);
  const element = new Audio(URL.createObjectURL(new Blob([wave], { type: "audio/wav" })));
  element.loop = true;
  return element;
}
