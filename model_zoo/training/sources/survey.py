"""Reads the entries of a source, repairs and filters them, and counts the outcome.

A source lists instances of :class:`Entry`, which are read lazily. Unreadable entries and those that
:mod:`.filters` reject are counted and skipped. The notes of a recording are never changed, because
they label what sounds; only beats that they do not follow are removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from model_zoo.training.sources import filters
from model_zoo.training.sources.piece import Piece, end_of
from model_zoo.training.sources.splits import assign

Mender = Callable[[Piece], Piece]

MENDERS: Final[tuple[Mender, ...]] = (
    filters.name_drums,
    filters.map_drums,
    filters.drop_effects,
    filters.drop_odd_notes,
    filters.drop_joke_lines,
    filters.drop_duplicate_lines,
    filters.drop_unheard_beats,
    filters.mark_deadpan,
)
"""In order of application: later filters depend on which lines are drums."""

LISTENERS: Final[tuple[Mender, ...]] = (filters.drop_unheard_beats,)
"""Filters applied to recordings."""

JUDGES: Final = (filters.has_music, filters.has_plausible_tempo)


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a source; ``read`` raises ValueError if it is damaged or not music."""

    name: str
    read: Callable[[], Piece]


@dataclass(slots=True)
class SurveyReport:
    """Counts of what a source holds and of what was kept.

    Attributes
    ----------
    dropped : Counter of str
        Rejected entries by reason.
    lines, notes : Counter of str
        Lines and notes removed from kept pieces, by filter.
    parts : Counter of str
        Kept pieces by split.
    marks : Counter of str
        Number of kept pieces that are deadpan, or have beats, chords, a key or drums.
    """

    entries: int = 0
    kept: int = 0
    hours: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)


def sift(
    entries: Iterable[Entry], report: SurveyReport | None = None, *, only_free: bool = False
) -> Iterator[Piece]:
    """Yield the usable pieces, and record the outcome in ``report``.

    With ``only_free``, yields only pieces whose licence allows publishing weights.
    """
    report = report if report is not None else SurveyReport()
    known = filters.Known()
    for entry in entries:
        report.entries += 1
        try:
            piece = entry.read()
        except ValueError:
            report.dropped["unreadable"] += 1
            continue
        if only_free and not filters.allows_weights(piece):
            report.dropped[filters.allows_weights.__name__] += 1
            continue
        piece, lines, notes = mend(piece, MENDERS if piece.audio is None else LISTENERS)
        refused = next((judge.__name__ for judge in JUDGES if not judge(piece)), None)
        if refused is None and piece.audio is None and known.find(piece) is not None:
            refused = "duplicate"
        if refused is not None:
            report.dropped[refused] += 1
            continue
        report.lines += lines
        report.notes += notes
        _count(piece, report)
        yield piece


def mend(
    piece: Piece, menders: Iterable[Mender] = MENDERS
) -> tuple[Piece, Counter[str], Counter[str]]:
    """Apply ``menders``; return the piece, and the lines and notes that each removed."""
    lines: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for mender in menders:
        mended = mender(piece)
        lines[mender.__name__] += len(piece.lines) - len(mended.lines)
        notes[mender.__name__] += _count_notes(piece) - _count_notes(mended)
        piece = mended
    return piece, +lines, +notes


def _count_notes(piece: Piece) -> int:
    return sum(len(line.notes) for line in piece.lines)


def _count(piece: Piece, report: SurveyReport) -> None:
    report.kept += 1
    report.hours += end_of(piece) / 3600
    report.parts[assign(piece.origin)] += 1
    known = {
        "deadpan": piece.deadpan,
        "beats": len(piece.beats_s) > 0,
        "chords": len(piece.chords) > 0,
        "key": piece.key is not None,
        "drums": any(line.role == "drums" for line in piece.lines),
    }
    report.marks.update(name for name, holds in known.items() if holds)
