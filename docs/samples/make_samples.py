"""Make the project's own sounds: a sung melody, a piano piece, and a song.

All are synthesised here, with NumPy alone, from music in the public domain; no recording and no
sampled instrument is used. Run it from anywhere::

    python docs/samples/make_samples.py

The files that it writes beside itself are committed; it writes the same sound every time.

The voice is a sum of harmonics (McAulay and Quatieri, "Speech analysis/synthesis based on a
sinusoidal representation", IEEE TASSP 34:4, 1986) whose levels follow a glottal slope and the
formants of an open vowel, with portamento, delayed vibrato and breath. The piano is a sum of
partials stretched by the stiffness of its strings (Fletcher, Blackham and Stratton, "Quality of
piano tones", JASA 34:6, 1962), each decaying in two stages, with the hammer's knock.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]
Melody = list[tuple[float, int]]
"""Durations in beats, and MIDI pitches."""

RATE_HZ: Final = 48_000
BIT_RATE: Final = 48_000
PEAK: Final = 0.7

# Ludwig van Beethoven, Symphony No. 9 (1824): the theme of the finale, two phrases, in D major.
ODE_BPM: Final = 112.0
ODE: Final[Melody] = [
    (1, 66), (1, 66), (1, 67), (1, 69), (1, 69), (1, 67), (1, 66), (1, 64),
    (1, 62), (1, 62), (1, 64), (1, 66), (1.5, 66), (0.5, 64), (2, 64),
    (1, 66), (1, 66), (1, 67), (1, 69), (1, 69), (1, 67), (1, 66), (1, 64),
    (1, 62), (1, 62), (1, 64), (1, 66), (1.5, 64), (0.5, 62), (2, 62),
]  # fmt: skip

# Christian Petzold, Minuet in G major (before 1725), bars 1 to 8.
MINUET_BPM: Final = 120.0
MINUET_RIGHT: Final[Melody] = [
    (1, 74), (0.5, 67), (0.5, 69), (0.5, 71), (0.5, 72), (1, 74), (1, 67), (1, 67),
    (1, 76), (0.5, 72), (0.5, 74), (0.5, 76), (0.5, 78), (1, 79), (1, 67), (1, 67),
    (1, 72), (0.5, 74), (0.5, 72), (0.5, 71), (0.5, 69),
    (1, 71), (0.5, 72), (0.5, 71), (0.5, 69), (0.5, 67),
    (1, 66), (0.5, 67), (0.5, 69), (0.5, 71), (0.5, 67), (3, 69),
]  # fmt: skip
MINUET_LEFT: Final[Melody] = [
    (2, 55), (1, 57), (3, 59), (3, 60), (3, 59), (3, 57), (3, 55),
    (1, 62), (1, 59), (1, 55), (1, 62), (0.5, 50), (0.5, 60), (0.5, 59), (0.5, 57),
]  # fmt: skip

# "Auld Lang Syne" (James Johnson, The Scots Musical Museum V, 1796), the verse, in F major, with a
# piano and a bass of our own.
AULD_BPM: Final = 96.0
AULD: Final[Melody] = [
    (1, 60),
    (1.5, 65), (0.5, 65), (1, 65), (1, 69), (1.5, 67), (0.5, 65), (1, 67), (1, 69),
    (1.5, 65), (0.5, 65), (1, 69), (1, 72), (3, 74), (1, 74),
    (1.5, 72), (0.5, 69), (1, 69), (1, 65), (1.5, 67), (0.5, 65), (1, 67), (1, 69),
    (1.5, 65), (0.5, 62), (1, 62), (1, 60), (3, 65),
]  # fmt: skip
AULD_BASS: Final[Melody] = [
    (2, 41), (2, 36), (2, 36), (2, 40), (2, 41), (2, 45), (2, 46), (2, 41),
    (2, 41), (2, 36), (2, 36), (2, 40), (2, 38), (1, 43), (1, 36), (3, 41),
]  # fmt: skip
F, C7, B_FLAT, D_MINOR, G_MINOR = (
    (53, 57, 60), (52, 58, 60), (53, 58, 62), (53, 57, 62), (55, 58, 62)
)  # fmt: skip
AULD_CHORDS: Final[list[tuple[float, tuple[int, ...]]]] = [
    *[(2, F)] * 2, *[(2, C7)] * 2, *[(2, F)] * 2, *[(2, B_FLAT)] * 2,
    *[(2, F)] * 2, *[(2, C7)] * 2, (2, D_MINOR), (1, G_MINOR), (1, C7), (3, F),
]  # fmt: skip

# An open "a": formant frequencies, bandwidths and levels (Peterson and Barney, JASA 24:2, 1952).
FORMANTS_HZ: Final = (850.0, 1220.0, 2810.0, 3800.0)
BANDWIDTHS_HZ: Final = (90.0, 110.0, 170.0, 250.0)
FORMANT_LEVELS: Final = (1.0, 0.6, 0.22, 0.12)


def frequency_hz(pitch: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Frequency of a MIDI pitch, which may be fractional."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(pitch) - 69.0) / 12.0))


# The voice


def sing(melody: Melody, bpm: float, vibrato_semitones: float = 0.28) -> Sound:
    """Sing a melody on one vowel, each note begun anew.

    Returns
    -------
    np.ndarray, shape (N,), float64
    """
    beat_s = 60.0 / bpm
    length_s = sum(beats for beats, _ in melody) * beat_s + 0.6
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    pitch = np.zeros_like(time_s)
    level = np.zeros_like(time_s)
    generator = np.random.default_rng(1824)
    onset_s = 0.1
    position_beats = 0.0
    for beats, note in melody:
        stop_s = onset_s + beats * beat_s
        inside = time_s >= onset_s
        # Singers slide into a note and settle within some 60 ms; vibrato comes later.
        since_s = time_s[inside] - onset_s
        before = pitch[np.argmax(inside) - 1] or note - 1.0
        glide = np.exp(-since_s / 0.018)
        vibrato = (
            vibrato_semitones
            * np.sin(2 * np.pi * 5.6 * since_s)
            * np.clip((since_s - 0.25) / 0.3, 0, 1)
        )
        drift = generator.normal(0.0, 0.04)
        pitch[inside] = note + drift + (before - note) * glide + vibrato
        sounding = inside & (time_s < stop_s)
        accent = 1.0 if position_beats % 4 == 0 else 0.65
        level[sounding] = accent * note_envelope(time_s[sounding] - onset_s, stop_s - onset_s)
        onset_s = stop_s
        position_beats += beats
    voiced = glottal_harmonics(frequency_hz(pitch)) * level
    breath = generator.standard_normal(len(time_s)) * level * 0.004
    return voiced + breath


def note_envelope(since_s: Sound, duration_s: float) -> Sound:
    """Loudness of a sung note: swelling in, and closing before the next begins."""
    attack = np.clip(since_s / 0.045, 0, 1)
    release = np.clip((duration_s - 0.035 - since_s) / 0.06, 0, 1)
    swell = 0.85 + 0.15 * np.sin(np.pi * np.clip(since_s / duration_s, 0, 1))
    return np.asarray(np.sqrt(attack) * np.sqrt(release) * swell)


def glottal_harmonics(f0_hz: Sound) -> Sound:
    """Sum the harmonics of a gliding tone through the formants of its vowel."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    total = np.zeros_like(f0_hz)
    for number in range(1, 40):
        harmonic_hz = f0_hz * number
        audible = harmonic_hz < 9_000.0
        if not audible.any():
            break
        total += audible * formant_gain(harmonic_hz) * number**-0.9 * np.sin(number * phase)
    return total


def formant_gain(f_hz: Sound) -> Sound:
    """Response of the vocal tract at each frequency."""
    gain = np.full_like(f_hz, 0.05)
    for centre, width, level in zip(FORMANTS_HZ, BANDWIDTHS_HZ, FORMANT_LEVELS, strict=True):
        gain += level / (1.0 + ((f_hz - centre) / (1.5 * width)) ** 2)
    return gain


# The piano


def play(hands: list[Melody], bpm: float) -> Sound:
    """Play melodies together on a piano, with a human's uneven touch.

    Returns
    -------
    np.ndarray, shape (N,), float64
    """
    beat_s = 60.0 / bpm
    generator = np.random.default_rng(1725)
    length_s = max(sum(beats for beats, _ in hand) for hand in hands) * beat_s + 2.0
    total = np.zeros(round(length_s * RATE_HZ))
    for hand, loudness in zip(hands, (0.9, 0.6), strict=True):
        position_beats = 0.0
        for beats, note in hand:
            onset_s = 0.1 + position_beats * beat_s + generator.normal(0.0, 0.006)
            accent = 1.15 if position_beats % 3 == 0 else 1.0
            tone = strike(note, beats * beat_s * 0.97, loudness * accent, generator)
            start = round(onset_s * RATE_HZ)
            stop = min(start + len(tone), len(total))
            total[start:stop] += tone[: stop - start]
            position_beats += beats
    return total


def strike(pitch: int, duration_s: float, loudness: float, generator: np.random.Generator) -> Sound:
    """Strike one key and let it go after ``duration_s``."""
    f0_hz = float(frequency_hz(pitch))
    stiffness = 2.5e-4 * 2.0 ** ((pitch - 60) / 12.0)
    time_s = np.arange(round((duration_s + 0.25) * RATE_HZ)) / RATE_HZ
    tone = np.zeros_like(time_s)
    for number in range(1, 30):
        partial_hz = number * f0_hz * np.sqrt(1 + stiffness * number**2)
        if partial_hz > 12_000.0:
            break
        # The hammer strikes an eighth of the way along the string, and is soft.
        level = abs(np.sin(np.pi * number / 8.2)) * number**-1.5 * np.exp(-partial_hz / 2_200.0)
        fast_s = 1.1 * (220.0 / partial_hz) ** 0.5
        decay = 0.75 * np.exp(-time_s / fast_s) + 0.25 * np.exp(-time_s / (5 * fast_s))
        phase = generator.uniform(0, 2 * np.pi)
        tone += level * decay * np.sin(2 * np.pi * partial_hz * time_s + phase)
    knock = generator.standard_normal(len(time_s)) * np.exp(-time_s / 0.004) * 0.03
    attack = np.clip(time_s / 0.003, 0, 1)
    damper = np.exp(-np.clip(time_s - duration_s, 0, None) / 0.05)
    return np.asarray(loudness * (tone * attack + knock) * damper)


# The song


def sing_with_band() -> Sound:
    """Sing "Auld Lang Syne"; a piano and a bass join after the pickup.

    Returns
    -------
    np.ndarray, shape (N,), float64
    """
    voice = sing(AULD, AULD_BPM, vibrato_semitones=0.5)
    beat_s = 60.0 / AULD_BPM
    generator = np.random.default_rng(1796)
    band = np.zeros(len(voice) + RATE_HZ)
    lines = (
        (AULD_CHORDS, 0.35, 0.92),
        ([(beats, (note,)) for beats, note in AULD_BASS], 0.9, 0.97),
    )
    for line, loudness, held in lines:
        position_beats = 1.0  # of the pickup
        for beats, chord in line:
            accent = 1.2 if position_beats % 4 == 1 else 1.0
            for note in chord:
                onset_s = 0.1 + position_beats * beat_s + generator.normal(0.0, 0.005)
                tone = strike(note, held * beats * beat_s, loudness * accent, generator)
                start = round(onset_s * RATE_HZ)
                cut = tone[: len(band) - start]
                band[start : start + len(cut)] += cut
            position_beats += beats
    band[: len(voice)] += 1.2 * voice / np.abs(voice).max() * np.abs(band).max()
    return band


# Files


def save(sound: Sound, target: Path) -> None:
    """Write a mono Ogg/Opus file, as voice messages are."""
    samples = (PEAK * sound / np.abs(sound).max()).astype(np.float32)
    with av.open(str(target), "w", format="ogg") as container:
        track = container.add_stream("libopus", rate=RATE_HZ, layout="mono", bit_rate=BIT_RATE)
        if not isinstance(track, av.AudioStream):
            raise TypeError("libopus made no track of sound")
        block = RATE_HZ // 50
        for start in range(0, len(samples), block):
            piece = np.zeros((1, block), dtype=np.float32)
            cut = samples[start : start + block]
            piece[0, : len(cut)] = cut
            frame = av.AudioFrame.from_ndarray(piece, "flt", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def main() -> None:
    """Write the samples beside this script."""
    folder = Path(__file__).resolve().parent
    save(sing(ODE, ODE_BPM), folder / "voice.ogg")
    save(play([MINUET_RIGHT, MINUET_LEFT], MINUET_BPM), folder / "piano.ogg")
    save(sing_with_band(), folder / "song.ogg")


if __name__ == "__main__":
    main()
