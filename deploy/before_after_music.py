"""The recordings whose pages :mod:`deploy.before_after` compares. None of them is committed.

The tunes are in the public domain, and one song is our own. A synthetic singer
(:mod:`model_zoo.training.sound.singing`) sings them with faults of real singers. FluidSynth plays
the instruments, with deviations of :data:`JITTER_S`. Each recording is the same every time, if
espeak-ng and flite speak the same. The two guitar recordings are of GuitarSet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray
from pretty_midi import Instrument, Note, PrettyMIDI

from model_zoo.training.sound.fluidsynth import RATE_HZ, synthesise
from model_zoo.training.sound.singing import Singer, draw_singer, sing_as
from model_zoo.training.sound.speech import load_bank

Sound = NDArray[np.float32]
Line = Sequence[tuple[float, float, int]]
"""Starts and durations in beats, and MIDI numbers."""
Parts = Sequence[tuple[int | None, Line]]
"""Lines with their programs; None stands for drums."""

SOUNDFONT: Final = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
JITTER_S: Final = 0.012
PIANO, BASS, SAXOPHONE = 0, 33, 65
QUARTET: Final = (40, 71, 65, 70)
"""Programs of a violin, a clarinet, an alto saxophone and a bassoon."""

KICK, SNARE, HAT, RIDE = 36, 38, 42, 51
SHORT: Final = 0.66
"""Position in the beat of swung off-beats."""


def lay(*notes: tuple[float, int], start: float = 0.0) -> list[tuple[float, float, int]]:
    """Return notes one after another, given as (duration, pitch); pitch 0 is a rest."""
    line = []
    for duration, pitch in notes:
        if pitch:
            line.append((start, duration, pitch))
        start += duration
    return line


# Ludwig van Beethoven, Symphony No. 9, the theme of the finale.
ODE: Final = lay(
    (1, 66), (1, 66), (1, 67), (1, 69), (1, 69), (1, 67), (1, 66), (1, 64),
    (1, 62), (1, 62), (1, 64), (1, 66), (1.5, 66), (0.5, 64), (2, 64),
    (1, 66), (1, 66), (1, 67), (1, 69), (1, 69), (1, 67), (1, 66), (1, 64),
    (1, 62), (1, 62), (1, 64), (1, 66), (1.5, 64), (0.5, 62), (2, 62),
)  # fmt: skip
# "Auld Lang Syne", with its pickup.
AULD: Final = lay(
    (1, 60), (1.5, 65), (0.5, 65), (1, 65), (1, 69), (1.5, 67), (0.5, 65), (1, 67), (1, 69),
    (1.5, 65), (0.5, 65), (1, 69), (1, 72), (3, 74), (1, 74),
    (1.5, 72), (0.5, 69), (1, 69), (1, 65), (1.5, 67), (0.5, 65), (1, 67), (1, 69),
    (1.5, 65), (0.5, 62), (1, 62), (1, 60), (3, 65),
)  # fmt: skip
# "Greensleeves", in 6/8; a beat is an eighth.
GREENSLEEVES: Final = lay(
    (1, 57), (2, 60), (1, 62), (1.5, 64), (0.5, 66), (1, 64), (2, 62), (1, 59),
    (1.5, 55), (0.5, 57), (1, 59), (2, 60), (1, 57), (1.5, 57), (0.5, 56), (1, 57),
    (2, 59), (1, 56), (2, 52), (1, 57), (2, 60), (1, 62), (1.5, 64), (0.5, 66), (1, 64),
    (2, 62), (1, 59), (1.5, 55), (0.5, 57), (1, 59), (1.5, 60), (0.5, 59), (1, 57),
    (1.5, 56), (0.5, 54), (1, 56), (3, 57),
)  # fmt: skip
# "O du lieber Augustin", a waltz, over a bass and two chords a bar.
AUGUSTIN: Final = lay(
    (1.5, 79), (0.5, 81), (0.5, 79), (0.5, 77), (1, 76), (1, 72), (1, 72), (1, 74), (1, 67),
    (1, 67), (1, 76), (1, 72), (1, 72), (1.5, 79), (0.5, 81), (0.5, 79), (0.5, 77), (1, 76),
    (1, 72), (1, 72), (1, 74), (1, 67), (1, 67), (3, 72),
)  # fmt: skip
C_MAJOR, G_SEVENTH = (48, 55, 60), (43, 53, 59)
AUGUSTIN_CHORDS: Final = (
    C_MAJOR, C_MAJOR, G_SEVENTH, C_MAJOR, C_MAJOR, C_MAJOR, G_SEVENTH, C_MAJOR,
)  # fmt: skip
# "The Irish Washerwoman", a jig; a beat is an eighth.
WASHERWOMAN: Final = lay(
    *((1, pitch) for pitch in (
        79, 74, 74, 71, 74, 74, 79, 74, 78, 79, 81, 79, 78, 75, 75, 72, 75, 75, 78, 75, 78, 79, 81,
        78, 79, 74, 74, 71, 74, 74, 79, 74, 78, 79, 81, 83, 84, 83, 81, 79, 78, 81)),
    (2, 74), (1, 74), (3, 79),
)  # fmt: skip
WASHERWOMAN_BASS: Final = lay(
    *((3, p) for p in (43, 50, 43, 50, 45, 50, 45, 50, 43, 50, 43, 50, 48, 45, 50)), (3, 43)
)
# "When the Saints Go Marching In".
SAINTS: Final = lay(
    (1, 60), (1, 64), (1, 65), (5, 67), (1, 60), (1, 64), (1, 65), (5, 67),
    (0.5, 60), (0.5, 62), (0.5, 64), (0.5, 62), (1, 65), (2, 67), (0.5, 64), (1.5, 60),
    (0.5, 64), (0.5, 62), (3, 62), (0.5, 64), (0.5, 65), (0.5, 64), (0.5, 62), (2.5, 60),
    (0.5, 64), (1, 67), (0.5, 67), (0.5, 67), (3, 65), (0.5, 64), (0.5, 65),
    (1.5, 67), (0.5, 64), (1.5, 60), (0.5, 62), (4, 60), start=1,
)  # fmt: skip
SAINTS_CHORDS: Final = ("C", "C", "C", "C", "C", "C", "G", "C", "C", "F", "C", "G", "C")
# Our own: the first sentence of a pop song, ahead of the beat.
POP: Final = lay(
    (0.5, 64), (0.5, 64), (0.5, 67), (1, 69), (0.5, 67), (1, 64), (1.5, 62), (0.5, 60), (0.5, 62),
    (1.5, 64), (0.5, 0), (0.5, 64), (0.5, 64), (0.5, 67), (1, 69), (0.5, 71), (1, 72),
    (1.5, 71), (0.5, 67), (0.5, 69), (1.5, 67), (0.5, 0),
    (0.5, 72), (0.5, 72), (0.5, 71), (1, 69), (0.5, 67), (1, 69), (1.5, 67), (0.5, 64), (0.5, 62),
    (1.5, 60), (0.5, 0), (0.5, 62), (0.5, 64), (0.5, 65), (1, 64), (0.5, 62), (1, 59), (4, 60),
)  # fmt: skip
# "Old Hundredth" (Genevan Psalter, 1551), set for four players by us.
HUNDREDTH: Final = tuple(
    lay(*voice)
    for voice in (
        (
            *((1, p) for p in (67, 67, 66, 64, 62, 67, 69, 71, 71, 71, 71, 69, 67, 72, 71, 69)),
            *((1, p) for p in (67, 69, 71, 69, 67, 64, 66, 67, 74, 71, 67, 69, 72, 71, 69)),
            (3, 67),
        ),
        (
            *((1, p) for p in (62, 62, 62, 59, 59, 62, 62, 62, 67, 67, 67, 66, 64, 67, 67, 66)),
            *((1, p) for p in (62, 66, 67, 66, 64, 60, 62, 62, 67, 67, 64, 66, 64, 67)),
            (0.5, 67), (0.5, 66), (3, 62),
        ),
        (
            *((1, p) for p in (59, 59, 57, 55, 55, 59, 57, 55, 62, 62, 62, 62, 59, 64, 62, 62)),
            *((1, p) for p in (59, 62, 62, 62, 59, 55, 57, 59)),
            (0.5, 59), (0.5, 60), *((1, p) for p in (62, 59, 62, 57, 62, 60)), (3, 59),
        ),
        (
            *((1, p) for p in (55, 55, 50, 52, 47, 43, 54, 55, 55)), (0.5, 55), (0.5, 54),
            *((1, p) for p in (52, 50, 52, 48, 55, 50, 55, 54, 55, 50, 52, 48, 50)),
            (0.5, 43), (0.5, 45), *((1, p) for p in (47, 55, 52, 50, 45, 50, 50)), (3, 43),
        ),
    )
)  # fmt: skip
POP_CHORDS: Final = ("C", "Am", "F", "G", "Am", "F", "G", "C", "C")
TRIADS: Final = {
    "C": (48, 60, 64, 67), "F": (41, 60, 65, 69), "G": (43, 59, 62, 67), "Am": (45, 60, 64, 69),
}  # fmt: skip


def draw_voice(random: Generator, tuning: float, error: float) -> Singer:
    """Return a singer of words whose take deviates from A440 by ``tuning`` semitones."""
    singer = draw_singer(load_bank(), random)
    while singer.style != "words":
        singer = draw_singer(load_bank(), random)
    return replace(singer, tuning=tuning, error=error, drift=0.05, melisma=0.0)


def sing(
    line: Line, bpm: float, seed: int, tuning: float = 0.0, pause_s: float = 0.0, phrase: int = 0
) -> Sound:
    """Sing a line, with a pause after every ``phrase`` notes, if given."""
    random = np.random.default_rng(seed)
    singer = draw_voice(random, tuning, error=0.12)
    notes = np.zeros((len(line), 4))
    for index, (start, length, pitch) in enumerate(line):
        rested_s = pause_s * (index // phrase) if phrase else 0.0
        onset_s = 0.4 + start * 60 / bpm + rested_s + random.normal(0.0, 0.02)
        notes[index] = onset_s, onset_s + length * 57 / bpm, pitch, 80
    notes[:-1, 1] = np.minimum(notes[:-1, 1], notes[1:, 0] - 0.04)
    return sing_as(singer, notes, random)[0]


def play(
    lines: Parts, bpm: float, seed: int, short: float = 0.5, jitter_s: float = JITTER_S
) -> Sound:
    """Play lines of programs; None stands for drums. Off-beats are at ``short`` of the beat."""
    random = np.random.default_rng(seed)
    midi = PrettyMIDI()
    for program, line in lines:
        player = Instrument(program or 0, is_drum=program is None)
        for start, length, pitch in line:
            onset_s = max(0.4 + _swing(start, short) * 60 / bpm + random.normal(0.0, jitter_s), 0)
            stop_s = 0.4 + _swing(start + length, short) * 60 / bpm - 0.02
            loud = int(random.normal(84, 6))
            player.notes.append(Note(loud, pitch, onset_s, max(stop_s, onset_s + 0.08)))
        midi.instruments.append(player)
    target = BytesIO()
    midi.write(target)
    return synthesise(target.getvalue(), SOUNDFONT, reverb=True, chorus=False)


def _swing(beats: float, short: float) -> float:
    whole, within = divmod(beats, 1.0)
    return float(
        whole + (within * 2 * short if within < 0.5 else 1 - (1 - within) * 2 * (1 - short))
    )


def mix(voice: Sound, band: Sound) -> Sound:
    """Return a voice before a band."""
    both = np.zeros(max(len(voice), len(band)), np.float32)
    both[: len(voice)] += 0.8 * voice / np.abs(voice).max()
    both[: len(band)] += 0.45 * band / np.abs(band).max()
    return both


def _beat(bars: int, *, is_swung: bool) -> Line:
    """Return a drum part of quarters on the kick and snare, eighths or a ride pattern above."""
    hits: list[tuple[float, float, int]] = []
    for beat in range(4 * bars):
        hits.append((beat, 0.2, SNARE if beat % 2 else KICK))
        hits.append((beat, 0.2, RIDE if is_swung else HAT))
        if not is_swung or beat % 2:
            hits.append((beat + 0.5, 0.2, RIDE if is_swung else HAT))
    return hits


def waltz() -> Sound:
    """Return "O du lieber Augustin" with a bass and two chords a bar."""
    left: list[tuple[float, float, int]] = []
    for bar, (low, *chord) in enumerate(AUGUSTIN_CHORDS):
        left.append((3 * bar, 1, low))
        left += [(3 * bar + beat, 0.8, pitch) for beat in (1, 2) for pitch in chord]
    return play([(PIANO, [*AUGUSTIN, *left])], bpm=150, seed=3)


def quartet() -> Sound:
    """Return "Old Hundredth", whose players begin together as well as real ones do."""
    parts: Parts = list(zip(QUARTET, HUNDREDTH, strict=True))
    return play(parts, bpm=84, seed=7, jitter_s=0.03)


def swing() -> Sound:
    """Return "When the Saints" on a saxophone with piano, walking bass and drums."""
    bars = len(SAINTS_CHORDS)
    chords = [
        (4 * bar + beat, 0.5, pitch)
        for bar, name in enumerate(SAINTS_CHORDS)
        for beat in (1, 3)
        for pitch in TRIADS[name][1:]
    ]
    walk = [
        (4 * bar + beat, 0.9, TRIADS[name][0] - 12 * (TRIADS[name][0] > 45) + step)
        for bar, name in enumerate(SAINTS_CHORDS)
        for beat, step in enumerate((0, 4, 7, 4))
    ]
    drums = _beat(bars, is_swung=True)
    parts: Parts = [(SAXOPHONE, SAINTS), (PIANO, chords), (BASS, walk), (None, drums)]
    return play(parts, bpm=132, seed=4, short=SHORT)


def pop() -> Sound:
    """Return our song, sung over piano, bass and drums."""
    bars = len(POP_CHORDS)
    chords = [
        (4 * bar + beat, 1.9, pitch)
        for bar, name in enumerate(POP_CHORDS)
        for beat in (0, 2)
        for pitch in TRIADS[name][1:]
    ]
    bass = [
        (4 * bar + beat, length, TRIADS[name][0] - 12 * (TRIADS[name][0] > 45))
        for bar, name in enumerate(POP_CHORDS)
        for beat, length in ((0, 1.5), (1.5, 0.5), (2, 2))
    ]
    parts: Parts = [(PIANO, chords), (BASS, bass), (None, _beat(bars, is_swung=False))]
    return mix(sing(POP, bpm=96, seed=9), play(parts, bpm=96, seed=5))


SOUNDS: Final[dict[str, Callable[[], Sound]]] = {
    "sung-sharp": lambda: sing(ODE, bpm=104, seed=11, tuning=0.5),
    "sung-pauses": lambda: sing(AULD, bpm=92, seed=12, tuning=-0.2, pause_s=0.45, phrase=15),
    "sung-flat": lambda: sing(GREENSLEEVES, bpm=160, seed=13, tuning=-0.3),
    "waltz": waltz,
    "six-eight": lambda: play([(PIANO, [*WASHERWOMAN, *WASHERWOMAN_BASS])], bpm=320, seed=6),
    "swing": swing,
    "quartet": quartet,
    "pop": pop,
    "band": pop,
}


def record(name: str, target: Path) -> None:
    """Write a recording of :data:`SOUNDS` as WAV, if it is not there."""
    if not target.exists():
        partial = target.with_suffix(".partial")
        soundfile.write(partial, SOUNDS[name](), RATE_HZ, format="WAV")
        partial.rename(target)
