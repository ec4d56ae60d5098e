"""Leave out parts of a song that are next to nothing.

Separation and tagging put a few notes of one instrument down to another. A staff of its own for
them would be bars of rests and a handful of false notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inference_service.music.events import Part

_MAX_NOTES: Final = 8
_MAX_SHARE: Final = 0.03
"""Of all pitched notes. Set by hand, like the other two; not fitted."""

_MIN_SOUNDING: Final = 0.01
"""Share of the recording for which a part sounds."""


def split_stray(parts: Sequence[Part], duration_s: float) -> tuple[list[Part], list[Part]]:
    """Return the parts to write, in order, and those to leave out.

    A pitched part is left out if it has few notes, both by number and as a share of all, or if it
    hardly sounds. Drums are kept, and so is everything if nothing else would be left.

    Parameters
    ----------
    parts : sequence of Part
    duration_s : float
        Length of the recording.
    """
    total = sum(len(part.notes) for part in parts if not part.is_drum)

    def is_stray(part: Part) -> bool:
        if part.is_drum or not part.notes:
            return False
        is_small = len(part.notes) <= min(_MAX_NOTES, _MAX_SHARE * total)
        sounding_s = sum(note.offset_s - note.onset_s for note in part.notes)
        return is_small or sounding_s < _MIN_SOUNDING * duration_s

    stray = [part for part in parts if is_stray(part)]
    kept = [part for part in parts if part not in stray]
    return (kept, stray) if any(part.notes for part in kept) else (list(parts), [])
