"""Which family each note is of: by its own sound, by the notes about it, by what plays at all.

An instrument plays line after line, so that a note's neighbours in time and pitch are mostly of its
family. Each note's likeness is therefore raised by what its nearest neighbours are taken for, a few
times over; then families that too few notes are left to are dissolved. After mean-field inference
in random fields (Koller and Friedman, "Probabilistic Graphical Models", 2009, section 11.5), but
that all notes are told anew at once, and that a note has so many neighbours and no more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.floating]

NEIGHBOURS: Final = 32
REACH_S: Final = 6.0
REACH_SEMITONES: Final = 3.0
"""A neighbour so far off weighs ``1 / e`` of one at the same place."""

TRUST: Final = 3.0
"""What neighbours that agree, and are many and near, add to a family's log likeness: no more than a
note has that is sure of itself (0.99 against 0.05)."""

ROUNDS: Final = 3
_LEAST: Final = 1e-4


def tell_families(
    likeness: Floats, onsets_s: Floats, pitches: Floats, least_share: float
) -> NDArray[np.intp]:
    """Return the family of each note.

    Parameters
    ----------
    likeness : np.ndarray, shape (N, F), in [0, 1]
        What the network takes each note for.
    onsets_s, pitches : np.ndarray, shape (N,)
    least_share : float
        A family with a smaller share of the notes is taken for another one misheard.

    Returns
    -------
    np.ndarray of int, shape (N,)
    """
    return settle_families(ask_neighbours(likeness, onsets_s, pitches), least_share)


def ask_neighbours(likeness: Floats, onsets_s: Floats, pitches: Floats) -> Floats:
    """Return each note's likeness, its neighbours' heard; rows add up to 1."""
    own = np.clip(likeness.astype(np.float64), _LEAST, 1.0 - _LEAST)
    own /= own.sum(axis=1, keepdims=True)
    count = min(NEIGHBOURS + 1, len(own))
    if count < 2:
        return own
    places = np.column_stack([onsets_s / REACH_S, pitches / REACH_SEMITONES])
    distances, nearest = cKDTree(places).query(places, k=count, p=1)
    weights = np.exp(-distances) * (nearest != np.arange(len(own))[:, None])
    weights *= TRUST / (1.0 + weights.sum(axis=1, keepdims=True))
    blended = own
    for _ in range(ROUNDS):
        logs = np.log(own) + np.einsum("nk,nkf->nf", weights, blended[nearest])
        blended = np.exp(logs - logs.max(axis=1, keepdims=True))
        blended /= blended.sum(axis=1, keepdims=True)
    return blended


def settle_families(likeness: Floats, least_share: float) -> NDArray[np.intp]:
    """Return each note's family: its likeliest among those that no smaller one's notes went to.

    Families whose share of the notes is too small are dissolved, the smallest first.

    Parameters
    ----------
    likeness : np.ndarray, shape (N, len(FAMILIES))
    least_share : float

    Returns
    -------
    np.ndarray of int, shape (N,)
    """
    there = np.ones(likeness.shape[1], bool)
    while True:
        families: NDArray[np.intp] = np.where(there, likeness, -1.0).argmax(axis=1)
        counts = np.bincount(families, minlength=len(there)).astype(float)
        counts[~there] = np.inf
        counts[counts == 0] = np.inf
        smallest = int(counts.argmin())
        if counts[smallest] >= least_share * len(likeness):
            return families
        there[smallest] = False
