"""Counts chords, and what follows them, in the keys of written music."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.harmony.chord_prior import QUALITIES, SYMBOLS, ChordPrior, read_chords
from inference_service.harmony.melodic_prior import MODES
from model_zoo.training.harmony.pieces import STYLES, HarmonisedPiece

# Observations that smoother tables count for. Set by hand; not fitted.
SYMBOL_COUNTS: Final = 0.5
FOLLOWING_COUNTS: Final = 5.0
LASTING_COUNTS: Final = 1.0
PIECE_COUNTS: Final = 20.0
"""Observations that the shares of the time in a piece count for."""


def learn_prior(pieces: Iterable[HarmonisedPiece]) -> ChordPrior:
    """Return the smoothed log probabilities of the chords of each style and mode."""
    shape = (len(STYLES), len(MODES), SYMBOLS)
    counts = np.full(shape, SYMBOL_COUNTS)
    pairs = np.zeros((*shape, SYMBOLS))
    lasting = np.full(shape, LASTING_COUNTS)
    for piece in pieces:
        place = piece.style, MODES.index(piece.mode)
        chords = read_chords(piece.chords)
        symbols = np.array(
            [(c.root - piece.tonic) % 12 * len(QUALITIES) + c.quality for c in chords]
        )
        duration_s = np.array([chord.duration_s for chord in chords])
        np.add.at(counts[place], symbols, 1)
        np.add.at(pairs[place], (symbols[:-1], symbols[1:]), 1)
        np.add.at(lasting[place], symbols, PIECE_COUNTS * duration_s / duration_s.sum())
    usual = _normalise(counts)
    following = pairs + FOLLOWING_COUNTS * usual[:, :, None]
    return ChordPrior(_logs(usual), _logs(_normalise(following)), _logs(_normalise(lasting)))


def _normalise(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True), np.float64)


def _logs(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.log(probabilities).astype(np.float32)
