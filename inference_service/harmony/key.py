"""Estimation of the key of a piece from its notes and chords.

Each of the 24 keys is scored by the correlation of its profile with the total duration of each
pitch class (Krumhansl and Schmuckler's method: Krumhansl, "Cognitive Foundations of Musical Pitch",
1990), in equal parts from the notes and from the tones of the chords, plus :data:`TONIC_WEIGHT`
times the share of the time in which the tonic triad sounds: relative keys share a scale, and differ
in their tonic. A melody without chords is scored, moreover, by the probability of its steps in each
key (:class:`~.melodic_prior.MelodicPrior`). The softmax of the scores is a probability
(``model_zoo/experiments/015-keys.md``).

The profiles are those of Albrecht and Shanahan, "The Use of Large Corpora to Train
a New Type of Key-Finding Algorithm", Music Perception 31 (2013). They were the best of those tried
on 180 songs of POP909, none of which is among the songs that ``python -m tests.bench --only songs``
measures on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference_service.audio.waveform import Waveform
from inference_service.harmony.melodic_prior import MODES, MelodicPrior, load_prior
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment, KeyEstimate, Mode, NoteEvent
from inference_service.music.pitch import build_key, pitch_class
from inference_service.settings import ModelSettings

TONIC_WEIGHT: Final = 0.5
"""No record of how it was chosen."""

# Factors of scores that make their softmax a probability: ``SHARPNESS`` of the profiles for music
# with chords or several notes at a time; ``MELODY_SHARPNESS`` and ``STEP_WEIGHT``, of the profiles
# and of the log probability of the steps, for melodies.
SHARPNESS: Final = 12.0
MELODY_SHARPNESS: Final = 4.0
STEP_WEIGHT: Final = 0.2

LONGEST_OVERLAP_S: Final = 0.05
"""Notes of a melody that are sung or played legato may overlap by this much."""

# Shares of the pitch classes above the tonic (Albrecht and Shanahan 2013, table 1).
_PROFILES: Final[dict[Mode, NDArray[np.float64]]] = {
    "major": np.array(
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081]
    ),
    "minor": np.array(
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052]
    ),
}

_KEYS: Final[tuple[tuple[Mode, int], ...]] = tuple(
    (mode, tonic) for mode in MODES for tonic in range(12)
)

# Semitones above the root by Harte's shorthand; a root alone is a major triad.
_TONES: Final[dict[str, tuple[int, ...]]] = {
    "": (0, 4, 7),
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "minmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9),
    "hdim7": (0, 3, 6, 10),
    "maj6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "9": (0, 2, 4, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "min9": (0, 2, 3, 7, 10),
}


class _Chord(NamedTuple):
    """Root of a chord, and its tones in semitones above the root."""

    root: int
    tones: tuple[int, ...]

    @property
    def mode(self) -> Mode | None:
        """Mode of a key whose tonic chord this could be; None for neither mode."""
        if 7 not in self.tones:
            return None
        return "major" if 4 in self.tones else "minor" if 3 in self.tones else None


class KeyProfileEstimator:
    """Estimates a single key for the whole piece.

    Parameters
    ----------
    prior : MelodicPrior or None
        Of the steps of melodies; without one, melodies are judged by their profile alone.
    """

    def __init__(self, prior: MelodicPrior | None = None) -> None:
        self._prior = prior

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return all keys, the likeliest first; ``waveform`` is unused.

        That is C major if there are neither notes nor chords, when all are equally probable.
        """
        parsed = [(chord, _parse(chord.label)) for chord in chords]
        sounding = [(c.end_s - c.start_s, p) for c, p in parsed if p is not None]
        histogram = _standardise(_share(_count_notes(notes)) + _share(_count_tones(sounding)))
        rests = _count_tonics(sounding)
        fits = np.array(
            [
                np.mean(_standardise(np.roll(_PROFILES[mode], tonic)) * histogram)
                + TONIC_WEIGHT * rests[mode][tonic]
                for mode, tonic in _KEYS
            ]
        )
        scores = SHARPNESS * fits
        if self._prior is not None and not sounding and _is_melody(notes):
            pitch = np.array([note.pitch for note in notes])
            steps = self._prior.score_keys(pitch)
            scores = MELODY_SHARPNESS * fits + STEP_WEIGHT * steps.ravel()
        weights = np.exp(scores - scores.max())
        # The first of equal scores stays first: C major if no pitch class stands out.
        order = np.argsort(-scores, kind="stable")
        return [
            KeyEstimate(build_key(_KEYS[k][1], _KEYS[k][0]), float(weights[k] / weights.sum()))
            for k in order
        ]


def build(entry: ModelFiles, settings: ModelSettings) -> KeyProfileEstimator:
    """Build the estimator, as the manifest declares it."""
    (prior,) = entry.paths(settings.weights)
    return KeyProfileEstimator(load_prior(prior))


def _parse(label: str) -> _Chord | None:
    """Return the chord of a label; None for no chord and for an unknown shorthand."""
    root, _, quality = label.partition("/")[0].partition(":")
    shorthand = quality.partition("(")[0]
    if root in ("N", "X") or shorthand not in _TONES:
        return None
    return _Chord(pitch_class(root), _TONES[shorthand])


def _is_melody(notes: Sequence[NoteEvent]) -> bool:
    """Return whether two or more sorted notes sound one at a time."""
    return len(notes) > 1 and all(
        following.onset_s > note.onset_s and following.onset_s >= note.offset_s - LONGEST_OVERLAP_S
        for note, following in pairwise(notes)
    )


def _count_notes(notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """Return the total duration of each pitch class in seconds."""
    seconds = np.zeros(12)
    for note in notes:
        seconds[note.pitch % 12] += note.offset_s - note.onset_s
    return seconds


def _count_tones(chords: Sequence[tuple[float, _Chord]]) -> NDArray[np.float64]:
    """Return the total duration in seconds of the chords that contain each pitch class."""
    seconds = np.zeros(12)
    for duration_s, chord in chords:
        for tone in chord.tones:
            seconds[(chord.root + tone) % 12] += duration_s
    return seconds


def _count_tonics(chords: Sequence[tuple[float, _Chord]]) -> dict[Mode, NDArray[np.float64]]:
    """Return the share of the time in which each major and minor triad sounds."""
    seconds: dict[Mode, NDArray[np.float64]] = {"major": np.zeros(12), "minor": np.zeros(12)}
    for duration_s, chord in chords:
        if chord.mode is not None:
            seconds[chord.mode][chord.root] += duration_s
    total = sum(float(counts.sum()) for counts in seconds.values())
    return {mode: counts / total if total else counts for mode, counts in seconds.items()}


def _share(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(seconds.sum())
    return seconds / total if total else seconds


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to mean 0 and standard deviation 1; zeros if all values are equal."""
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-9 else np.zeros(12)
