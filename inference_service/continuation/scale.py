"""Scales and chords as ladders of pitches to climb.

The scale is that of the key's signature; a chord's tone that it lacks takes the place of the tone
below, raised, or in flattened and borrowed chords of the tone above, lowered: E major in C brings
G sharp for G, B flat major B flat for B (Mulholland and Hojnacki, "The Berklee Book of Jazz
Harmony", 2013, on chord scales).
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
    """The pitches of some pitch classes, in every octave.

    Attributes
    ----------
    classes : tuple of int
        Ascending, not empty.
    """

    classes: tuple[int, ...]

    def __contains__(self, pitch: int) -> bool:
        return pitch % 12 in self.classes

    def floor(self, pitch: int) -> int:
        """Return the number of the highest rung that is not above a pitch."""
        octave, pc = divmod(pitch, 12)
        return octave * len(self.classes) + sum(c <= pc for c in self.classes) - 1

    def pitch(self, rung: int) -> int:
        """Return the pitch of a rung."""
        octave, index = divmod(rung, len(self.classes))
        return 12 * octave + self.classes[index]

    def nearest(self, pitch: int) -> int:
        """Return the nearest pitch of the ladder, the lower of two."""
        below = self.pitch(self.floor(pitch))
        above = self.pitch(self.floor(pitch) + 1)
        return above if above - pitch < pitch - below else below

    def climb(self, pitch: int, rungs: int) -> int:
        """Return the pitch so many rungs above (or below) one, which need not be a rung."""
        floor = self.floor(pitch)
        if rungs < 0 and pitch not in self:
            rungs += 1
        return self.pitch(floor + rungs)

    def count(self, start: int, stop: int) -> int:
        """Return the rungs from one pitch to another, a rung: what :meth:`climb` takes there."""
        rungs = self.floor(stop) - self.floor(start)
        return rungs - 1 if stop < start and start not in self else rungs


@dataclass(frozen=True, slots=True)
class Harmony:
    """A chord in its key.

    Attributes
    ----------
    degree : str
    root : int
        Pitch class; the tonic's where nothing sounds.
    chord, scale : Ladder
    """

    degree: str
    root: int
    chord: Ladder
    scale: Ladder


@lru_cache(maxsize=4096)
def build_harmony(degree: str, tonic: int) -> Harmony:
    """Return the chord and the scale of a degree, the tonic being the signature's major one."""
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
