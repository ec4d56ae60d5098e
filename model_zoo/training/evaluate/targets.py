"""Targets for our own tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from model_zoo.training.evaluate.speed import LONG_S, Agreement, Speed
from model_zoo.training.evaluate.summary import Summary
from model_zoo.training.evaluate.systems import OURS


@dataclass(frozen=True, slots=True)
class Target:
    """A lower bound for a figure.

    Attributes
    ----------
    figure : str
        Name in :attr:`.summary.Summary.figures`.
    least : float
    above : str
        Peer whose figure is added to the bound, or empty.
    """

    figure: str
    least: float
    above: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure and its bound, an upper bound if ``at_most``."""

    what: str
    measured: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is within the bound."""
        if self.at_most:
            return self.measured <= self.bound
        return self.measured >= self.bound


TARGETS: Final[Mapping[str, tuple[Target, ...]]] = {
    "piano_dev": (Target("pitch", 0.93), Target("offset", 0.50)),
    "voice_dev": (Target("pitch", 0.70),),
    "guitar_dev": (Target("pitch", 0.0, "basic-pitch"),),
    "drums_dev": (Target("drums", 0.75),),
    "mixes": (Target("pitch", 0.60),),
    "rendered": (Target("pitch", 0.15, "basic-pitch"), Target("family", 0.80)),
}
MAX_REAL_TIME_FACTOR: Final = 0.10
MAX_PEAK_GB: Final = 1.5
"""For a recording of ten minutes."""


def judge(name: str, summaries: Mapping[str, Summary]) -> list[Verdict]:
    """Judge the first system of a set; targets relative to a peer that was not run are skipped."""
    figures = next(iter(summaries.values())).figures
    verdicts = []
    for target in TARGETS.get(name, ()):
        bound, what = target.least, target.figure
        if target.above:
            if target.above not in summaries:
                continue
            bound += summaries[target.above].figures[target.figure].value
            what = f"{what}, above {target.above}" + (f" by {target.least}" if target.least else "")
        verdicts.append(Verdict(what, figures[target.figure].value, bound))
    return verdicts


def judge_speed(speeds: Sequence[Speed], agreement: Agreement) -> list[Verdict]:
    """Judge the tagger's speed, memory and agreement."""
    long = [own for own in speeds if own.system == OURS and own.length_s == LONG_S]
    return [
        *(
            verdict
            for own in long
            for verdict in (
                Verdict("real-time factor", own.real_time_factor, MAX_REAL_TIME_FACTOR, True),
                Verdict("peak memory, GB", own.peak_gb, MAX_PEAK_GB, True),
            )
        ),
        Verdict("the same beside other recordings", float(agreement.repeatable), 1),
    ]
