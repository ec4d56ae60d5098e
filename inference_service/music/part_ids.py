"""Part ids derived from the part names in a file."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 32


def build_part_id(name: str, used: set[str]) -> str:
    """Return a unique id for a part, and add it to ``used``.

    >>> used = {"violin"}
    >>> build_part_id("Violin", used), build_part_id("Violin", used)
    ('violin-2', 'violin-3')
    """
    base = re.sub(r"\W+", "-", name.lower()).strip("-")[:_LONGEST] or "part"
    candidate, number = base, 2
    while candidate in used:
        candidate, number = f"{base}-{number}", number + 1
    used.add(candidate)
    return candidate
