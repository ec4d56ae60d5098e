"""What music is laid out on: a phone's screen, or paper."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_PAGES: Final = 40
"""More pages than this are cut: a chat takes albums of ten, and nobody reads on."""


class Paper(StrEnum):
    """The sheet that a PDF is printed on."""

    A4 = "a4"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Page:
    """A page's size and margins, in pixels of which a staff is 64 high.

    ``is_trimmed``: the page ends where its music does.
    """

    width_px: int
    height_px: int
    margin_px: int
    is_trimmed: bool = False


PHONE: Final = Page(1400, 1980, 60, is_trimmed=True)
"""Held upright: as wide as twenty-one staves are high, so that in a chat, 400 points wide, a staff
is still nearly twenty points high. The last page, often the only one, is as high as its music."""

PRINTED: Final = {
    Paper.A4: Page(1920, 2715, 137),
    Paper.LETTER: Page(1974, 2554, 137),
}
"""210 by 297 mm and 8.5 by 11 inches, with staves 7 mm high and margins of 15 mm."""
