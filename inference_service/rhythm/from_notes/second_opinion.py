"""A second opinion on the beats of notes: what is heard in a sketch of their sound.

Where somebody keeps time, one reading of the sound is likely, and it is better than what is read
from the notes. Elsewhere, the downbeats that are heard are evidence for bar lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment, NoteEvent, Rhythm
from inference_service.progress import ignore
from inference_service.rhythm.from_notes.sketch import LONGEST_S, sketch
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.neural_beats import NeuralBeatEstimator

# Chosen on the pieces to tune on of POP909 and ASAP (model_zoo/experiments/021-second-opinion.md).
STEADY: Final = 0.5
"""Least probability of the best reading of the sound of players who keep time."""

USUAL_ODDS: Final = 0.75
"""Offset of the log odds of downbeats."""

_REACH_FRAMES: Final = 3
_LEAST: Final = 1e-4
_LIMIT: Final = 4.0
"""Bound of the log odds."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is heard in a sketch of notes.

    Attributes
    ----------
    rhythm : Rhythm or None
        That of players who keep time; None if none is likely enough.
    downbeat : np.ndarray, shape (T,)
        Probability of a downbeat, ``FRAMES_PER_S`` times a second.
    """

    rhythm: Rhythm | None
    downbeat: NDArray[np.float32]

    def odds_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log odds of bar lines at times, shape (N,); 0 where nothing was sketched."""
        if not len(self.downbeat):
            return np.zeros(len(times_s))
        frames = np.round(times_s * FRAMES_PER_S).astype(int)
        near = frames[:, None] + np.arange(-_REACH_FRAMES, _REACH_FRAMES + 1)
        inside = np.clip(near, 0, len(self.downbeat) - 1)
        likely = np.clip(self.downbeat[inside].max(axis=1), _LEAST, 1 - _LEAST).astype(float)
        odds = np.clip(np.log(likely / (1 - likely)) + USUAL_ODDS, -_LIMIT, _LIMIT)
        return np.where((frames >= 0) & (frames < len(self.downbeat)), odds, 0.0)


class Ear(Protocol):
    """Gives second opinions."""

    def hear(self, notes: Sequence[NoteEvent], chords: Sequence[ChordSegment]) -> Opinion:
        """Return an opinion on one or more notes, sorted; chords may be unknown."""
        ...


class SketchEar:
    """Hears beats in sketches.

    Parameters
    ----------
    beats : NeuralBeatEstimator
    """

    def __init__(self, beats: NeuralBeatEstimator) -> None:
        self._beats = beats

    def hear(self, notes: Sequence[NoteEvent], chords: Sequence[ChordSegment]) -> Opinion:
        """Return an opinion on one or more notes, sorted; chords may be unknown."""
        heard = self._beats.listen(sketch(notes), notes, chords, ignore)
        readings = heard.rhythm.readings
        is_likely = bool(readings) and readings[0].probability >= STEADY
        is_whole = notes[-1].onset_s < LONGEST_S
        return Opinion(heard.rhythm if is_likely and is_whole else None, heard.downbeat)
