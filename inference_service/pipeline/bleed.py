"""What separation left of the singer among the instruments.

An instrument's note that sounds only while the singer holds the same pitch is taken for the
singer's own. To leave out a doubling does less harm than to print the melody twice. An instrument
most of whose notes are the singer's is an echo altogether.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inference_service.music.events import NoteEvent, Part

EARLY_S: Final = 0.1
LATE_S: Final = 0.2
"""How long before the sung note an echo of it may begin, and after it end."""

MOST: Final = 0.6
"""The share of a part's notes which, being sung, makes all of it an echo."""


def remove_bleed(parts: Sequence[Part], sung: Sequence[NoteEvent]) -> list[Part]:
    """Return the parts without the singer's notes; those with no other ones are left out.

    Parameters
    ----------
    parts : sequence of Part
        Drums stay as they are.
    sung : sequence of NoteEvent
        Sorted, no two of one pitch at once.
    """
    held: defaultdict[int, list[NoteEvent]] = defaultdict(list)
    for note in sung:
        held[note.pitch].append(note)

    def is_sung(note: NoteEvent) -> bool:
        own = held[note.pitch]
        before = bisect_right(own, note.onset_s + EARLY_S, key=lambda n: n.onset_s)
        return before > 0 and note.offset_s <= own[before - 1].offset_s + LATE_S

    def clean(part: Part) -> Part:
        own = tuple(note for note in part.notes if not is_sung(note))
        is_echo = len(own) < (1.0 - MOST) * len(part.notes)
        return replace(part, notes=() if is_echo else own)

    cleaned = [part if part.is_drum else clean(part) for part in parts]
    return [part for part in cleaned if part.notes]
