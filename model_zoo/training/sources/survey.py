"""From what a source holds to what is learnt from: mended, sifted, and counted.

A source lists :class:`Entry` after entry, each read when its turn comes. What cannot be read is
counted and left, as is what one of :mod:`.filters` refuses. The labels of a recording are left as
they are, but for beats that its notes do not follow: what sounds in it sounds.
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
"""In the order in which they are applied: ranges and ways of counting depend on what is a drum."""

LISTENERS: Final[tuple[Mender, ...]] = (filters.drop_unheard_beats,)
"""Those for recordings."""

JUDGES: Final = (filters.has_music, filters.has_plausible_tempo)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a source holds.

    ``read`` raises ValueError for what is damaged, or is no music.
    """

    name: str
    read: Callable[[], Piece]


@dataclass(slots=True)
class SurveyReport:
    """What a source held, and what became of it.

    Attributes
    ----------
    dropped : Counter of str
        Entries, by why they were left out.
    lines, notes : Counter of str
        What was taken out of pieces that were kept, by filter.
    parts : Counter of str
        Kept pieces by :func:`.splits.assign`'s part.
    marks : Counter of str
        Kept pieces that are deadpan, that have beats, chords, a key, drums.
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
    """Yield what is of use, and write down what happens in ``report``.

    With ``only_free``, that alone whose terms let weights be given away.
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
    """Apply menders; return what is left, and the lines and notes that each took out."""
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
