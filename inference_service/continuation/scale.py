"""Scales and chords as ladders of pitches.

The scale is that of the key signature, altered by the chord (Mulholland and Hojnacki, "The Berklee
Book of Jazz Harmony", 2013, on chord scales). A chord tone outside the scale replaces the scale
tone below it, as raised; in chords on flattened degrees and borrowed chords it replaces the one
above, as lowered. In C, E major has G sharp instead of G, and B flat major B flat instead of B.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inference_service.continuation.degrees import SILENCE, find_function, find_triad

MAJOR_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The pitches of a set of pitch classes in every octave, numbered as rungs.

    Attributes
    ----------
    classes : tuple of int
        Pitch classes, ascending, not empty.
    """

    classes: tuple[int, ...]

    def __contains__(self, pitch: int) -> bool:
        return pitch % 12 in self.classes

    def floor(self, pitch: int) -> int:
        """Return the number of the highest rung at or below a pitch."""
        octave, pc = divmod(pitch, 12)
        return octave * len(self.classes) + sum(c <= pc for c in self.classes) - 1

    def pitch(self, rung: int) -> int:
        """Return the pitch of a rung."""
        octave, index = divmod(rung, len(self.classes))
        return 12 * octave + self.classes[index]

    def nearest(self, pitch: int) -> int:
        """Return the nearest pitch of the ladder, the lower one of a tie."""
        below = self.pitch(self.floor(pitch))
        above = self.pitch(self.floor(pitch) + 1)
        return above if above - pitch < pitch - below else below

    def climb(self, pitch: int, rungs: int) -> int:
        """Return the pitch a number of rungs above (below, if negative) any pitch."""
        floor = self.floor(pitch)
        if rungs < 0 and pitch not in self:
            rungs += 1
        return self.pitch(floor + rungs)

    def count(self, start: int, stop: int) -> int:
        """Return the number of rungs that :meth:`climb` needs from a pitch to one on the ladder."""
        rungs = self.floor(stop) - self.floor(start)
        return rungs - 1 if stop < start and start not in self else rungs


@dataclass(frozen=True, slots=True)
class Harmony:
    """A chord in its key.

    Attributes
    ----------
    degree : str
    root : int
        Pitch class of the root; of the tonic for no chord.
    chord, scale : Ladder
    """

    degree: str
    root: int
    chord: Ladder
    scale: Ladder


@lru_cache(maxsize=4096)
def build_harmony(degree: str, tonic: int) -> Harmony:
    """Return chord and scale of a degree; ``tonic`` is that of the signature's major key."""
    triad = find_triad("I" if degree == SILENCE else degree)
    tones = _classes({(pc + tonic) % 12 for pc in triad})
    scale = {(pc + tonic) % 12 for pc in MAJOR_SCALE}
    is_flat = degree.startswith("b") or find_function(degree) == "borrowed"
    for tone in set(tones) - scale:
        scale -= {(tone + (1 if is_flat else -1)) % 12} - set(tones)
        scale.add(tone)
    return Harmony(degree, (triad[0] + tonic) % 12, Ladder(tones), Ladder(_classes(scale)))


def _classes(pitch_classes: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted(pitch_classes))
