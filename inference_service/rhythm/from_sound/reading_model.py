"""The parameters with which readings of a song are compared, and how they are stored.

They are fitted by ``python -m model_zoo.training.beats fit`` and stored as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference_service.errors import ModelRejected
from inference_service.rhythm.from_sound.evidence import KINDS, Evidence

BAR_LENGTHS: Final = (2, 3, 4)
TRAITS: Final = (
    "gain",
    "beats",
    "between",
    "tempo",
    "tempo squared",
    "dotted tempo",
    "dotted tempo squared",
    "onsets",
    "onsets squared",
    "chords",
    "chords squared",
)
"""What distinguishes the sequences of beats: log odds, number, whether they lie between those of
another sequence, tempo (in compound metres, that of dotted beats), onsets a beat, beats a chord."""

Metre = tuple[int, bool]
"""Beats in a bar, and whether they divide in three."""

METRES: Final[tuple[Metre, ...]] = tuple(
    (length, compound) for length in BAR_LENGTHS for compound in (False, True)
)
MAX_LOG_RATIO: Final = 3.0
"""Greatest log likelihood ratio of one kind of evidence at one beat, against stray values."""


@dataclass(frozen=True, slots=True)
class Emission:
    """Normal distributions of the evidence at each position of a bar.

    Attributes
    ----------
    means, deviations : np.ndarray, shape (L, K)
    any_mean, any_deviation : np.ndarray, shape (K,)
        At all positions together.
    """

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    any_mean: NDArray[np.float64]
    any_deviation: NDArray[np.float64]

    def compare(self, evidence: Evidence) -> NDArray[np.float64]:
        """Return the log likelihood ratio of each position to any, shape (B, L, K)."""
        here = _log_density(evidence[:, None, :], self.means, self.deviations)
        anywhere = _log_density(evidence, self.any_mean, self.any_deviation)[:, None, :]
        return np.clip(here - anywhere, -MAX_LOG_RATIO, MAX_LOG_RATIO)


@dataclass(frozen=True, slots=True)
class ReadingModel:
    """Parameters of the comparison; see :mod:`.readings`.

    Attributes
    ----------
    emissions : dict
        By the number of beats in a bar.
    kinds : np.ndarray, shape (K,)
        Weights of the kinds of evidence.
    traits : np.ndarray, shape (len(TRAITS),)
        Weights of the traits of a sequence of beats.
    compound : float
        Weight of the network's log odds that beats divide in three.
    repetition : float
        Weight of the repetition at the length of the bar (:func:`.evidence.measure_repetition`).
    metres : dict
        Log weight of each metre.
    bars : float
        Weight, in the choice of beats, of how well bars fit them.
    temperature : float
        Divisor of the scores, which makes the probabilities right on held-out music.
    """

    emissions: dict[int, Emission]
    kinds: NDArray[np.float64]
    traits: NDArray[np.float64]
    compound: float
    repetition: float
    metres: dict[Metre, float]
    bars: float
    temperature: float


def load_model(path: Path) -> ReadingModel:
    """Read what :func:`save_model` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds something else.
    """
    kept = json.loads(path.read_text())
    if kept.get("kinds") is None or list(kept["kinds"]) != list(KINDS):
        raise ModelRejected(f"{path.name}: not the parameters of readings")
    return ReadingModel(
        emissions={
            int(length): Emission(**{name: np.array(rows) for name, rows in emission.items()})
            for length, emission in kept["emissions"].items()
        },
        kinds=np.array(list(kept["kinds"].values())),
        traits=np.array([kept["traits"][name] for name in TRAITS]),
        compound=kept["compound"],
        repetition=kept["repetition"],
        metres={metre: kept["metres"][name_metre(metre)] for metre in METRES},
        bars=kept["bars"],
        temperature=kept["temperature"],
    )


def save_model(model: ReadingModel, path: Path) -> None:
    """Write the parameters, rounded to four decimals."""
    kept: dict[str, Any] = {
        "kinds": dict(zip(KINDS, _round(model.kinds), strict=True)),
        "traits": dict(zip(TRAITS, _round(model.traits), strict=True)),
        "compound": round(model.compound, 4),
        "repetition": round(model.repetition, 4),
        "metres": {name_metre(metre): round(value, 4) for metre, value in model.metres.items()},
        "bars": round(model.bars, 4),
        "temperature": round(model.temperature, 4),
        "emissions": {
            str(length): {
                name: _round(getattr(emission, name)) for name in Emission.__dataclass_fields__
            }
            for length, emission in model.emissions.items()
        },
    }
    path.write_text(json.dumps(kept, indent=1) + "\n")


def name_metre(metre: Metre) -> str:
    """Return the time signature of a metre, such as ``6/8`` for two beats that divide in three."""
    length, compound = metre
    return f"{3 * length}/8" if compound else f"{length}/4"


def _log_density(
    values: NDArray[np.float64], means: NDArray[np.float64], deviations: NDArray[np.float64]
) -> NDArray[np.float64]:
    density: NDArray[np.float64] = -0.5 * ((values - means) / deviations) ** 2 - np.log(deviations)
    return density


def _round(values: NDArray[np.float64]) -> Any:
    return np.round(values, 4).tolist()
