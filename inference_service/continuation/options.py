"""Options of a continuation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference_service.errors import InvalidOptions

MAX_MEASURES: Final = 64
MAX_SEED: Final = 2**31 - 1
MAX_ALTERNATIVES: Final = 4
MAX_TOTAL_MEASURES: Final = 128
"""New bars of a continuation and its alternatives together."""


class Style(StrEnum):
    """The corpus that the probabilities were learnt from; see ``docs/continuation.md``."""

    AUTO = "auto"
    POP = "pop"
    CLASSICAL = "classical"
    FOLK = "folk"


@dataclass(frozen=True, slots=True)
class ContinuationOptions:
    """Options of a continuation.

    Attributes
    ----------
    measures : int
        Number of new bars.
    style : Style
        ``AUTO`` selects the one that makes the given chords most probable.
    seed : int
        Seed of the random numbers. The same seed gives the same music.
    boldness : float in [-1, 1]
        Deviation from what is usual in the style: negative is calmer, positive bolder.
    context_measures : int
        Number of given bars to write before the new ones.
    alternatives : int
        Number of further continuations, each different from all before it. All together have at
        most ``MAX_TOTAL_MEASURES`` new bars.
    population, generations : int
        Size of the searches for harmony and for melody.
    budget_s : float
        Time limit in seconds, after which a search ends with its current generation; 0 for none.
        Results under a time limit are not reproducible.

    Raises
    ------
    InvalidOptions
        If a value is outside its range.
    """

    measures: int = 8
    style: Style = Style.AUTO
    seed: int = 0
    boldness: float = 0.0
    context_measures: int = 4
    alternatives: int = 0
    population: int = 60
    generations: int = 25
    budget_s: float = 0.0

    def __post_init__(self) -> None:
        _check("measures", self.measures, 1, MAX_MEASURES)
        _check("seed", self.seed, 0, MAX_SEED)
        _check("boldness", self.boldness, -1.0, 1.0)
        _check("context_measures", self.context_measures, 0, MAX_MEASURES)
        most = MAX_TOTAL_MEASURES // self.measures - 1
        _check("alternatives", self.alternatives, 0, min(most, MAX_ALTERNATIVES))
        _check("population", self.population, 2, 1000)
        _check("generations", self.generations, 1, 1000)
        _check("budget_s", self.budget_s, 0.0, 3600.0)


def _check(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidOptions(f"{option} is {value}, not from {least} to {most}", option=option)
