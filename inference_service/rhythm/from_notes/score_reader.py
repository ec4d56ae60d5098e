"""Run the score network on performed notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from inference_service.checkpoint import load_network
from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes.attacks import (
    Attacks,
    describe_attacks,
    describe_notes,
    find_attacks,
)
from inference_service.rhythm.from_notes.score_network import Logits, ScoreNetwork

Floats = NDArray[np.float64]

WINDOW_ATTACKS: Final = 2048
MARGIN_ATTACKS: Final = 128
"""Length of the windows in which long pieces are read, and their overlap on either side."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The network's predictions for N notes, sorted by onset and pitch, in A attacks.

    Attributes
    ----------
    attacks : Attacks
    place, interval, tempo, metre, fifths : np.ndarray, shape (A, classes)
        Log probabilities; the classes are those of :mod:`~.score_network`.
    beat, downbeat : np.ndarray, shape (A,)
        Log odds.
    length : np.ndarray, shape (N, classes)
        Log probabilities of written lengths.
    hand, extra : np.ndarray, shape (N,)
        Log odds of the lower hand, and of an ornament.
    """

    attacks: Attacks
    place: Floats
    interval: Floats
    tempo: Floats
    metre: Floats
    fifths: Floats
    beat: Floats
    downbeat: Floats
    length: Floats
    hand: Floats
    extra: Floats


class ScoreReader:
    """Runs the score network.

    Parameters
    ----------
    weights : Path
        File with the weights of a :class:`~.score_network.ScoreNetwork`.
    """

    def __init__(self, weights: Path) -> None:
        self._network = load_network(weights, ScoreNetwork)

    def read(self, notes: Sequence[NoteEvent], quarter_s: float | None = None) -> Reading:
        """Return predictions for one or more notes, sorted by onset and pitch.

        Parameters
        ----------
        notes : sequence of NoteEvent
        quarter_s : float, optional
            The usual length of a quarter. The values predicted suit it.
        """
        onset_s = np.array([n.onset_s for n in notes], float)
        offset_s = np.array([n.offset_s for n in notes], float)
        pitch = np.array([n.pitch for n in notes], np.int64)
        velocity = np.array([n.velocity for n in notes], np.int64)
        attacks = find_attacks(onset_s)
        of_notes = describe_notes(attacks, onset_s, offset_s, pitch, velocity, quarter_s)
        of_attacks = describe_attacks(attacks, offset_s, pitch, velocity, quarter_s)
        pieces = [
            self._read_window(of_attacks, of_notes, attacks.index, start)
            for start in range(0, len(of_attacks), WINDOW_ATTACKS)
        ]
        joined = {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
        return Reading(attacks=attacks, **joined)

    def _read_window(
        self,
        attacks: NDArray[np.float32],
        notes: NDArray[np.float32],
        index: NDArray[np.int64],
        start: int,
    ) -> dict[str, Floats]:
        stop = min(start + WINDOW_ATTACKS, len(attacks))
        begin, end = max(start - MARGIN_ATTACKS, 0), min(stop + MARGIN_ATTACKS, len(attacks))
        inside = (index >= begin) & (index < end)
        with torch.inference_mode():
            logits = self._network(
                torch.from_numpy(attacks[None, begin:end]),
                torch.from_numpy(notes[inside]),
                torch.from_numpy(index[inside] - begin),
            )
        own = (index[inside] >= start) & (index[inside] < stop)
        return _to_arrays(logits, slice(start - begin, stop - begin), own)


def _to_arrays(logits: Logits, attacks: slice, notes: NDArray[np.bool_]) -> dict[str, Floats]:
    kept = torch.from_numpy(notes)
    arrays = {}
    for name in ("place", "interval", "tempo", "metre", "fifths"):
        arrays[name] = functional.log_softmax(getattr(logits, name)[attacks], 1)
    arrays["length"] = functional.log_softmax(logits.length[kept], 1)
    for name in ("beat", "downbeat"):
        arrays[name] = getattr(logits, name)[attacks]
    for name in ("hand", "extra"):
        arrays[name] = getattr(logits, name)[kept]
    return {name: value.double().numpy() for name, value in arrays.items()}
