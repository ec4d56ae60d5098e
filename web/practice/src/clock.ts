/**
 * The clock of the practice page: everything that sounds or moves asks it where the music is.
 *
 * Three times are related here:
 *
 * - **context time**: seconds of the AudioContext, which never stops or jumps;
 * - **recording time**: seconds of the recording;
 * - **score position**: quarters from the beginning of the page's first bar.
 *
 * {@link Timeline} relates recording and score, once for a score: piecewise linear between the beats
 * that were heard. {@link Clock} relates the context to the recording, anew with every start, jump
 * and change of speed or loop: from an anchor on, recording time runs `speed` times as fast as
 * context time, and wraps from a loop's end to its start.
 *
 * ```
 *   AudioContext ──(anchor, speed, loop: Clock)──▶ recording ──(beats: Timeline)──▶ score
 * ```
 *
 * Sources schedule what is to sound by {@link Clock.spans}, in context time, ahead of the present. The
 * display asks for {@link Clock.position} at the context time that is heard now, which lies behind
 * the present by the latency of the output ({@link heardTime}). The time-stretcher compensates
 * its own latency (see audio/recording.ts), so that no source needs an offset.
 */

/** A point of a timeline: score position in quarters, recording time in seconds. */
export type ClockPoint = readonly [quarters: number, seconds: number];

/** Relates score positions to recording times. */
export class Timeline {
  readonly #points: readonly ClockPoint[];

  /**
   * @param points - at least two, strictly increasing in both values
   * @throws RangeError if they are not
   */
  constructor(points: readonly ClockPoint[]) {
    if (points.length < 2) throw new RangeError("a timeline needs two points");
    for (let i = 1; i < points.length; i++) {
      const [a, b] = [point(points, i - 1), point(points, i)];
      if (!(b[0] > a[0] && b[1] > a[1])) throw new RangeError("a timeline must increase");
    }
    this.#points = points;
  }

  /** Return the recording time of a score position; beyond the ends, the outer tempi go on. */
  toSeconds(quarters: number): number {
    return this.#map(quarters, 0, 1);
  }

  /** Return the score position of a recording time. */
  toQuarters(seconds: number): number {
    return this.#map(seconds, 1, 0);
  }

  /** Return the tempo at a recording time, in quarters per second of the recording. */
  tempoAt(seconds: number): number {
    const i = this.#segment(seconds, 1);
    const [a, b] = [point(this.#points, i), point(this.#points, i + 1)];
    return (b[0] - a[0]) / (b[1] - a[1]);
  }

  #map(value: number, from: 0 | 1, to: 0 | 1): number {
    const i = this.#segment(value, from);
    const [a, b] = [point(this.#points, i), point(this.#points, i + 1)];
    return a[to] + ((value - a[from]) / (b[from] - a[from])) * (b[to] - a[to]);
  }

  /** Return the index of the segment's first point. */
  #segment(value: number, axis: 0 | 1): number {
    let [low, high] = [0, this.#points.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (point(this.#points, middle)[axis] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function point(points: readonly ClockPoint[], index: number): ClockPoint {
  return points[index] as ClockPoint;
}

/** A stretch of the recording that is repeated, in seconds of the recording. */
export interface Loop {
  readonly start: number;
  readonly end: number;
}

/** A stretch of context time in which recording time runs evenly. */
export interface Span {
  /** Context times, in seconds. */
  readonly from: number;
  readonly until: number;
  /** Recording time at `from`, in seconds. */
  readonly seconds: number;
  /** Seconds of the recording for each second of the context. */
  readonly speed: number;
  /** Context time at which the loop that is followed ends next, or null. */
  readonly loopEnd: number | null;
}

/** How recording time runs from a context time on. */
export interface Motion {
  /** Context time at which the motion begins. */
  readonly at: number;
  /** Recording time at `at`. */
  readonly seconds: number;
  readonly speed: number;
  /** Followed only if the motion begins before its end. */
  readonly loop: Loop | null;
}

/** Shorter loops would be noise, and {@link Clock.spans} would cut them for ever. */
const SHORTEST_LOOP_S = 0.05;

/** Rounding errors at the end of a loop are smaller than this. */
const SEAM_S = 1e-6;

/** So many motions are remembered: the display lags behind, and asks for earlier ones. */
const REMEMBERED = 4;

/** Relates context time to recording time. */
export class Clock {
  /** The latest motion last; each goes on until the next begins. None at rest. */
  #motions: readonly Motion[] = [];
  /** Recording time at rest. */
  #rest = 0;

  /** Return whether recording time moves, or waits to. */
  get isRunning(): boolean {
    return this.#motions.length > 0;
  }

  /** Return the latest motion, or null at rest. */
  get motion(): Motion | null {
    return this.#motions.at(-1) ?? null;
  }

  /**
   * Set recording time in motion. Until the context time `motion.at`, the motion before goes on, or
   * recording time stands at `motion.seconds`.
   */
  start(motion: Motion): void {
    if (!(motion.speed > 0)) throw new RangeError("the speed must be positive");
    const { loop } = motion;
    const isFollowed =
      loop !== null && loop.end - loop.start >= SHORTEST_LOOP_S && motion.seconds < loop.end;
    const earlier = this.#motions.filter(({ at }) => at < motion.at).slice(1 - REMEMBERED);
    this.#motions = [...earlier, { ...motion, loop: isFollowed ? loop : null }];
  }

  /** Rest at a recording time. */
  rest(seconds: number): void {
    this.#rest = seconds;
    this.#motions = [];
  }

  /** Return the recording time at a context time. */
  position(at: number): number {
    const motion = this.#motions.findLast((one) => one.at <= at) ?? this.#motions[0];
    return motion === undefined ? this.#rest : follow(motion, at);
  }

  /**
   * Cut a stretch of context time where recording time jumps.
   *
   * @returns the spans of the latest motion in order; none at rest or before it begins
   */
  spans(from: number, until: number): Span[] {
    const spans: Span[] = [];
    const { motion } = this;
    if (motion === null) return spans;
    const { at, speed, loop } = motion;
    let start = Math.max(from, at);
    while (start < until) {
      let seconds = follow(motion, start);
      let loopEnd: number | null = null;
      if (loop !== null) {
        // At a seam, rounding may leave the position just before the loop's end: it is its start.
        if (loop.end - seconds < SEAM_S) seconds = loop.start;
        loopEnd = start + (loop.end - seconds) / speed;
      }
      const end = loopEnd === null ? until : Math.min(until, loopEnd);
      spans.push({ from: start, until: end, seconds, speed, loopEnd });
      start = end;
    }
    return spans;
  }
}

/** Return the recording time of a motion at a context time; before it begins, where it begins. */
function follow({ at: began, seconds, speed, loop }: Motion, at: number): number {
  const reached = seconds + Math.max(0, at - began) * speed;
  if (loop === null || reached < loop.end) return reached;
  return loop.start + ((reached - loop.end) % (loop.end - loop.start));
}

/** What {@link heardTime} needs of an AudioContext. */
export interface OutputClock {
  readonly currentTime: number;
  readonly outputLatency?: number;
  readonly baseLatency?: number;
}

/**
 * Return the context time of the sound that leaves the loudspeaker now.
 *
 * @param context - its `currentTime` is that of the block that is rendered now
 * @param extra - latency that the context does not know of, in seconds
 */
export function heardTime(context: OutputClock, extra = 0): number {
  const latency = context.outputLatency || context.baseLatency || 0;
  return context.currentTime - latency - extra;
}
