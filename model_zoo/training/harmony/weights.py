"""Fits the weights of notes and chords in the estimation of keys, and measures it.

The pieces are divided into folds. The evidence of a fold's pieces is computed with a prior that was
learnt from the others; weights that were fitted to the others' evidence judge them. An excerpt has
20 to 90 s of a piece. Lieder have no notes here: their chords alone are judged, with the same
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import mir_eval
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from inference_service.harmony.chord_prior import ChordPrior, read_chords
from inference_service.harmony.key import score_profiles
from inference_service.harmony.melodic_prior import MODES
from inference_service.music.events import ChordSegment, NoteEvent
from inference_service.music.pitch import build_key
from model_zoo.training.harmony.pieces import STYLES, HarmonisedPiece
from model_zoo.training.harmony.prior import learn_prior
from model_zoo.training.singing.keys import Judged, write_table

FOLDS: Final = 4
EXCERPT_S: Final = (20.0, 90.0)
FEWEST_CHORDS: Final = 2
PULL: Final = 1e-3
"""Weight of the squared weights in the loss."""

START: Final = (4.0, 1.0, 1.0)
FITTED: Final = (STYLES.index("pop"), STYLES.index("lead sheets"))
"""Styles with notes, which weights are fitted to."""

_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence for the 24 keys, major ones first, in one excerpt.

    Attributes
    ----------
    columns : np.ndarray, shape (S, 24, 3)
        Fit of the profile, changes and shares of chords, for each style.
    key : int
        Index of the right one.
    style : int
    """

    columns: NDArray[np.float64]
    key: int
    style: int


def gather(pieces: Sequence[HarmonisedPiece], seed: int = 0) -> list[list[Evidence]]:
    """Return the evidence of an excerpt of each piece, by fold."""
    random = np.random.default_rng(seed)
    fold = random.permutation(len(pieces)) % FOLDS
    folds = []
    for number in range(FOLDS):
        prior = learn_prior(p for p, own in zip(pieces, fold, strict=True) if own != number)
        own = (p for p, own in zip(pieces, fold, strict=True) if own == number)
        folds.append([e for piece in own if (e := describe(piece, prior, random)) is not None])
    return folds


def describe(
    piece: HarmonisedPiece, prior: ChordPrior, random: np.random.Generator
) -> Evidence | None:
    """Return the evidence of a random excerpt; None if it has hardly any chords."""
    length_s = float(random.uniform(*EXCERPT_S))
    start_s = float(random.uniform(0.0, max(piece.chords[-1].end_s - length_s, 1.0)))
    end_s = min(start_s + length_s, piece.chords[-1].end_s)
    chords = read_chords(
        [
            ChordSegment(max(c.start_s, start_s), min(c.end_s, end_s), c.label)
            for c in piece.chords
            if c.end_s > start_s and c.start_s < end_s
        ]
    )
    if len(chords) < FEWEST_CHORDS:
        return None
    notes = [
        NoteEvent(float(onset_s), float(offset_s), int(pitch))
        for onset_s, offset_s, pitch in piece.notes
        if start_s <= onset_s < end_s
    ]
    changes, shares = prior.score_keys(chords, end_s - start_s)
    profiles = np.broadcast_to(score_profiles(notes), (len(STYLES), 24))
    columns = [profiles, changes.reshape(-1, 24), shares.reshape(-1, 24)]
    return Evidence(np.stack(columns, -1), 12 * MODES.index(piece.mode) + piece.tonic, piece.style)


def fit(examples: Sequence[Evidence]) -> NDArray[np.float64]:
    """Return the weights of profile, changes and shares that make the right keys likeliest."""
    used = [example for example in examples if example.style in FITTED]
    right = np.array([example.key for example in used])

    def measure(weights: NDArray[np.float64]) -> float:
        logs = score(used, weights)[np.arange(len(used)), right]
        return float(-np.mean(logs) + PULL * weights @ weights)

    found = minimize(measure, START, method="L-BFGS-B", bounds=[(0.0, None)] * len(START))
    return np.asarray(found.x, np.float64)


def score(examples: Sequence[Evidence], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log probability of each key for each example, shape (N, 24)."""
    columns = np.array([example.columns for example in examples])
    scores = logsumexp(columns @ weights, axis=1)
    return np.asarray(scores - logsumexp(scores, axis=1, keepdims=True), np.float64)


def measure_folds(folds: Sequence[Sequence[Evidence]]) -> str:
    """Return a table of the figures of each style, on pieces left out."""
    judged: list[list[Judged]] = [[] for _ in STYLES]
    mirex: list[list[float]] = [[] for _ in STYLES]
    for number, own in enumerate(folds):
        weights = fit([e for other in range(len(folds)) if other != number for e in folds[other]])
        logs = score(own, weights)
        for example, row in zip(own, logs, strict=True):
            key = int(row.argmax())
            of_truth = float(np.exp(row[example.key]))
            right = key == example.key
            judged[example.style].append(Judged(float(np.exp(row[key])), of_truth, right))
            weighted = mir_eval.key.weighted_score(_name(example.key), _name(key))
            mirex[example.style].append(weighted)
    return "\n".join(
        f"{style}: MIREX {np.mean(scores):.3f}; {write_table(own)}"
        for style, own, scores in zip(STYLES, judged, mirex, strict=True)
        if own
    )


def _name(key: int) -> str:
    mode = MODES[key // 12]
    tonic = build_key(key % 12, mode).tonic
    return f"{tonic} {mode}"
