"""Estimation of the key of a piece from its notes and chords.

Each of the 24 keys has a score; their softmax is a probability. Notes are scored by the correlation
of the key's profile with the total duration of each pitch class (Krumhansl and Schmuckler's method:
Krumhansl, "Cognitive Foundations of Musical Pitch", 1990). Chords are scored by the probability of
their sequence and of their shares of the time in the key (:class:`~.chord_prior.ChordPrior`), and a
melody without chords by the probability of its steps (:class:`~.melodic_prior.MelodicPrior`).

The chords may be in any of several styles, whose probabilities are added. Weights were fitted on
held-out written music (``model_zoo/experiments/019-song-keys.md``, ``015-keys.md``).

The profiles are those of Albrecht and Shanahan, "The Use of Large Corpora to Train
a New Type of Key-Finding Algorithm", Music Perception 31 (2013). They were the best of those tried
on 180 songs of POP909, none of which is among the songs that ``python -m tests.bench --only songs``
measures on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from inference_service.audio.waveform import Waveform
from inference_service.harmony.chord_prior import ChordPrior, load_chord_prior, read_chords
from inference_service.harmony.melodic_prior import MODES, MelodicPrior, load_prior
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment, KeyEstimate, Mode, NoteEvent
from inference_service.music.pitch import build_key
from inference_service.settings import ModelSettings

# Factors of scores that make their softmax a probability: ``SHARPNESS`` of the profiles for several
# notes at a time without chords; ``PROFILE_WEIGHT``, ``CHANGE_WEIGHT`` and ``SHARE_WEIGHT`` for
# notes and chords; ``MELODY_SHARPNESS`` and ``STEP_WEIGHT`` for melodies.
SHARPNESS: Final = 12.0
PROFILE_WEIGHT: Final = 3.1
CHANGE_WEIGHT: Final = 0.8
SHARE_WEIGHT: Final = 3.0
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


class KeyProfileEstimator:
    """Estimates a single key for the whole piece.

    Parameters
    ----------
    melodies : MelodicPrior or None
        Of the steps of melodies; without one, melodies are judged by their profile alone.
    chords : ChordPrior or None
        Of chords; without one, chords are not used.
    """

    def __init__(
        self, melodies: MelodicPrior | None = None, chords: ChordPrior | None = None
    ) -> None:
        self._melodies = melodies
        self._chords = chords

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return all keys, the likeliest first; ``waveform`` is unused.

        That is C major if there are neither notes nor chords, when all are equally probable.
        """
        fits = score_profiles(notes)
        sounding = read_chords(chords)
        if self._chords is not None and sounding:
            changes, shares = self._chords.score_keys(
                sounding, chords[-1].end_s - chords[0].start_s
            )
            styles = CHANGE_WEIGHT * changes + SHARE_WEIGHT * shares
            scores = PROFILE_WEIGHT * fits + logsumexp(styles, axis=0).ravel()
        elif self._melodies is not None and _is_melody(notes):
            pitch = np.array([note.pitch for note in notes])
            steps = self._melodies.score_keys(pitch)
            scores = MELODY_SHARPNESS * fits + STEP_WEIGHT * steps.ravel()
        else:
            scores = SHARPNESS * fits
        weights = np.exp(scores - scores.max())
        # The first of equal scores stays first: C major if no pitch class stands out.
        order = np.argsort(-scores, kind="stable")
        return [
            KeyEstimate(build_key(_KEYS[k][1], _KEYS[k][0]), float(weights[k] / weights.sum()))
            for k in order
        ]


def score_profiles(notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """Return the correlation of notes with the profile of each key, major ones first, (24,)."""
    histogram = _standardise(_count_notes(notes))
    return np.array(
        [
            np.mean(_standardise(np.roll(_PROFILES[mode], tonic)) * histogram)
            for mode, tonic in _KEYS
        ]
    )


def load_estimator(melodies: Path, chords: Path) -> KeyProfileEstimator:
    """Build the estimator from the files of its priors.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If one of them holds something else.
    """
    return KeyProfileEstimator(load_prior(melodies), load_chord_prior(chords))


def build(entry: ModelFiles, settings: ModelSettings) -> KeyProfileEstimator:
    """Build the estimator, as the manifest declares it."""
    melodies, chords = entry.paths(settings.weights)
    return load_estimator(melodies, chords)


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


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to mean 0 and standard deviation 1; zeros if all values are equal."""
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-9 else np.zeros(12)
