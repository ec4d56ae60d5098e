"""How readable the rhythm of a page is.

A tidy bar has no note shorter than a 16th, and at most one tie begins in it. In a spotless bar, at
most one tie begins or ends. Bars of rests are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

SHORTEST_QUARTERS = 0.25


@dataclass(frozen=True, slots=True)
class BarCount:
    """Numbers of short notes and ties in a bar."""

    short_notes: int
    ties_begun: int
    ties_ended: int

    @property
    def is_tidy(self) -> bool:
        """Whether the bar is tidy, as the module defines it."""
        return not self.short_notes and self.ties_begun <= 1

    @property
    def is_spotless(self) -> bool:
        """Whether the bar is spotless, as the module defines it."""
        return not self.short_notes and self.ties_begun + self.ties_ended <= 1


def count_bars(musicxml: bytes) -> Iterator[BarCount]:
    """Yield the bars of a partwise score in which something sounds."""
    divisions = 1.0
    for measure in ElementTree.fromstring(musicxml).iter("measure"):
        divisions = float(measure.findtext("attributes/divisions") or divisions)
        notes = [n for n in measure.findall("note") if n.find("pitch") is not None]
        if not notes:
            continue
        lengths = [
            float(n.findtext("duration") or 0) / divisions for n in notes if n.find("grace") is None
        ]
        ties = [tie.get("type") for n in notes for tie in n.findall("tie")]
        short = sum(length < SHORTEST_QUARTERS - 1e-6 for length in lengths)
        yield BarCount(short, ties.count("start"), ties.count("stop"))
