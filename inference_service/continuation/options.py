"""What a caller may ask of a continuation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference_service.errors import InvalidOptions

MAX_MEASURES: Final = 64
MAX_SEED: Final = 2**31 - 1
MAX_ALTERNATIVES: Final = 4


class Style(StrEnum):
    """Whose habits are followed: a corpus's, named in ``docs/continuation.md``."""

    AUTO = "auto"
    POP = "pop"
    CLASSICAL = "classical"
    FOLK = "folk"


@dataclass(frozen=True, slots=True)
class ContinuationOptions:
    """How the music goes on.

    Attributes
    ----------
    measures : int
        How many bars are written.
    style : Style
        ``AUTO`` takes the one under which the given chords are likeliest.
    seed : int
        The same seed, the same music.
    boldness : float in [-1, 1]
        How far from the usual: below 0 calmer, above 0 bolder than the corpus.
    context_measures : int
        Bars of the given music that are written before the new ones.
    alternatives : int
        How many others to return beside the best, each different from all before it.
    population, generations : int
        Of the search, for harmony and for melody alike.
    budget_s : float
        When this time has passed, the search ends with the generation that it is in. A search that
        is cut short does not repeat: 0 sets no limit.

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
        _check("alternatives", self.alternatives, 0, MAX_ALTERNATIVES)
        _check("population", self.population, 2, 1000)
        _check("generations", self.generations, 1, 1000)
        _check("budget_s", self.budget_s, 0.0, 3600.0)


def _check(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidOptions(f"{option} is {value}, not from {least} to {most}", option=option)
