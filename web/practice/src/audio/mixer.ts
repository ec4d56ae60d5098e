/** How loud each track is: faders, mute and solo. Pure values; audio/ensemble.ts applies them. */

import type { ScoreIndex } from "../score.ts";

/** The fader of the metronome. Others are called `sound:NAME` and `part:ID`. */
export const CLICK = "click";

/** A fader. Volumes are 0 to 1, and 0.8 is as recorded or as synthesised. */
export interface Track {
  readonly id: string;
  readonly kind: "sound" | "part" | "click";
  readonly volume: number;
  readonly isMuted: boolean;
  readonly isSolo: boolean;
}

/** The volume at which a track is neither amplified nor attenuated. */
export const UNITY = 0.8;

/** Return the gain of a volume: quadratic, as ears expect of a fader; 1 at {@link UNITY}. */
export function gainOf(volume: number): number {
  return (Math.min(1, Math.max(0, volume)) / UNITY) ** 2;
}

/** Gains by the ids of tracks. */
export type Gains = ReadonlyMap<string, number>;

/** Return the gain of each track. A solo silences all tracks without one but the metronome. */
export function mix(tracks: readonly Track[]): Gains {
  const hasSolo = tracks.some((track) => track.isSolo && track.kind !== "click");
  return new Map(
    tracks.map((track) => {
      const isSilent = track.isMuted || (hasSolo && !track.isSolo && track.kind !== "click");
      return [track.id, isSilent ? 0 : gainOf(track.volume)];
    }),
  );
}

/** Return the faders of a score: the recording sounds, or the instruments if there is none. */
export function defaultTracks(index: ScoreIndex): Track[] {
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
