"""Tell a single line from chords and from several lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inference_service.music.events import NoteEvent

TOGETHER_S: Final = 0.05
"""Onsets no further apart than this are one attack."""
MOST_STACKED: Final = 0.1
MOST_DOUBLED: Final = 0.15
"""Largest shares of a single line: of its sounding time with three pitch classes or more, and of
its attacks with two or more. A guitar solo with its ringing strings is at 0.06 and 0.10, chorales,
songs and piano pieces above 0.22 and 0.20. Set by hand between these."""


def is_single_line(notes: Sequence[NoteEvent]) -> bool:
    """Return whether notes are one line, apart from a few overlaps and false notes.

    Parameters
    ----------
    notes : sequence of NoteEvent
        In any order. Octaves count as one pitch. No notes are a line.
    """
    ordered = sorted(notes)
    return _stacked_share(ordered) <= MOST_STACKED and _doubled_share(ordered) <= MOST_DOUBLED


def _stacked_share(ordered: Sequence[NoteEvent]) -> float:
    """Return the share of the sounding time with three pitch classes or more."""
    changes = sorted(
        change
        for note in ordered
        for change in ((note.onset_s, 1, note.pitch % 12), (note.offset_s, -1, note.pitch % 12))
    )
    sounding = [0] * 12
    stacked_s = total_s = before_s = 0.0
    for time_s, step, pitch_class in changes:
        count = sum(number > 0 for number in sounding)
        total_s += (time_s - before_s) * (count > 0)
        stacked_s += (time_s - before_s) * (count > 2)
        sounding[pitch_class] += step
        before_s = time_s
    return stacked_s / total_s if total_s else 0.0


def _doubled_share(ordered: Sequence[NoteEvent]) -> float:
    """Return the share of attacks in which two pitch classes or more begin."""
    attacks: list[set[int]] = []
    start_s = -TOGETHER_S
    for note in ordered:
        if not attacks or note.onset_s - start_s > TOGETHER_S:
            attacks.append(set())
            start_s = note.onset_s
        attacks[-1].add(note.pitch % 12)
    return sum(len(attack) > 1 for attack in attacks) / len(attacks) if attacks else 0.0
