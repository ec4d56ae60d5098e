/** How loud each track is: faders, mute and solo. Pure values; audio/player.ts applies them. */

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

/** Return the gain of each track. A solo silences all tracks without one but the metronome. */
export function mix(tracks: readonly Track[]): Map<string, number> {
  const hasSolo = tracks.some((track) => track.isSolo && track.kind !== "click");
  return new Map(
    tracks.map((track) => {
      const isSilent = track.isMuted || (hasSolo && !track.isSolo && track.kind !== "click");
      return [track.id, isSilent ? 0 : gainOf(track.volume)];
    }),
  );
}
