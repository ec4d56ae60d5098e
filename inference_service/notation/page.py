"""Page formats: a phone's screen, and paper."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_PAGES: Final = 40
"""Further pages are dropped. A chat shows albums of ten pictures, and few people read on."""


class Paper(StrEnum):
    """The paper size of a PDF."""

    A4 = "a4"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Page:
    """Size and margins of a page in pixels, with staves 64 pixels high.

    ``is_trimmed`` says that the page is cut off below the music.
    """

    width_px: int
    height_px: int
    margin_px: int
    is_trimmed: bool = False


PHONE: Final = Page(1400, 1980, 60, is_trimmed=True)
"""A phone held upright. The width is that of about 21 staff heights, so that in a chat, 400 points
wide, a staff is nearly 20 points high. The last page, often the only one, is as high as its
music."""

WIDEST_PICTURE: Final = 2.2
"""Width of the widest picture, in heights. Messengers cut the sides of pictures that are wider."""

PRINTED: Final = {
    Paper.A4: Page(1920, 2715, 137),
    Paper.LETTER: Page(1974, 2554, 137),
}
"""A4 (210 by 297 mm) and Letter (8.5 by 11 inches), with staves 7 mm high and 15 mm margins."""
