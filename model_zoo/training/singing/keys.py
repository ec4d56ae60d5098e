"""Measures how often estimated keys are right, and whether that is as often as stated.

Excerpts of the held-out melodies (:mod:`.prior`), of 12 to 90 notes, half of them from the
beginning. Music with chords is measured by :mod:`..harmony.weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from inference_service.harmony.key import KeyProfileEstimator
from inference_service.harmony.melodic_prior import MODES, load_prior
from inference_service.music.events import KeyEstimate, Mode, NoteEvent
from inference_service.music.pitch import pitch_class
from model_zoo.training.rhythm.corpora import is_dev
from model_zoo.training.sources.melodies import find_key, find_melody, iterate_scores

FEWEST_NOTES, MOST_NOTES = 12, 90
EXCERPTS: Final = 5
BOUNDS: Final = (0.0, 0.4, 0.6, 0.75, 0.9, 1.0)

Class = tuple[int, Mode]
"""Pitch class of the tonic, and mode."""


class Judged(NamedTuple):
    """The probabilities of an excerpt's first key and of its true key; are they the same?"""

    stated: float
    of_truth: float
    right: bool


def judge(estimates: Sequence[KeyEstimate], truth: Class) -> Judged:
    """Compare the estimated keys with the true one."""
    probabilities = {
        (pitch_class(estimate.key.tonic), estimate.key.mode): estimate.probability
        for estimate in estimates
    }
    first = estimates[0]
    found = (pitch_class(first.key.tonic), first.key.mode)
    return Judged(first.probability, probabilities[truth], found == truth)


def judge_melodies(symbolic: Path, prior: Path, seed: int = 1) -> Iterator[Judged]:
    """Judge the keys of excerpts of held-out melodies."""
    random = np.random.default_rng(seed)
    estimator = KeyProfileEstimator(load_prior(prior))
    for piece in iterate_scores(symbolic):
        melody = find_melody(piece) if is_dev(piece) else None
        if melody is None:
            continue
        tonic, mode = find_key(melody)
        for _ in range(EXCERPTS):
            count = min(int(random.integers(FEWEST_NOTES, MOST_NOTES)), len(melody.pitch))
            latest = len(melody.pitch) - count
            start = int(random.integers(latest + 1)) if random.random() < 0.5 else 0
            notes = [
                NoteEvent(float(onset), float(onset + duration), int(pitch))
                for onset, duration, pitch in zip(
                    melody.onset_q[start : start + count],
                    melody.duration_q[start : start + count],
                    melody.pitch[start : start + count],
                    strict=True,
                )
            ]
            yield judge(estimator.estimate(notes, []), (tonic, MODES[mode]))


def write_table(judged: Sequence[Judged]) -> str:
    """Return the number of excerpts by stated probability, with the shares that are right."""
    stated = np.array([j.stated for j in judged])
    right = np.array([j.right for j in judged])
    loss = -np.mean(np.log([j.of_truth for j in judged]))
    lines = [f"{len(judged)} excerpts, {right.mean():.3f} right, loss {loss:.3f}"]
    for low, high in pairwise(BOUNDS):
        chosen = (stated >= low) & ((stated < high) | (high == BOUNDS[-1]))
        if chosen.any():
            lines.append(
                f"{low:.2f} to {high:.2f}: {chosen.sum()} excerpts, "
                f"stated {stated[chosen].mean():.3f}, right {right[chosen].mean():.3f}"
            )
    return "\n".join(lines)
