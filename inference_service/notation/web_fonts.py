"""The fonts of the text in pages for the web, reduced to the characters that the pages use.

Text on a page is measured with these fonts. A browser does not have them, and a page that plays
offline or asks no third party brings them along: some kilobytes of WOFF2 for each style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from io import BytesIO
from typing import Final

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY, read_font

_TEXT: Final = re.compile(r"<text\b.*?</text>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")
_FIRST_SIGN: Final = 0xE000
"""Musical signs have the code points of Unicode's private area (SMuFL)."""


@dataclass(frozen=True, slots=True)
class WebFont:
    """A font as WOFF2."""

    family: str
    is_bold: bool
    is_italic: bool
    woff2: bytes


_STYLES: Final = ((False, False), (True, False), (False, True))


def subset_fonts(svgs: Iterable[str]) -> tuple[WebFont, ...]:
    """Return the fonts of the text in SVG documents, with its characters."""
    characters: set[str] = set()
    for svg in svgs:
        for text in _TEXT.findall(svg):
            characters.update(unescape(_TAG.sub("", text)))
    signs = frozenset(c for c in characters if ord(c) >= _FIRST_SIGN)
    return _subset(frozenset(characters) - signs, signs)


@lru_cache(maxsize=64)
def _subset(letters: frozenset[str], signs: frozenset[str]) -> tuple[WebFont, ...]:
    fonts = [
        WebFont(TEXT_FAMILY, is_bold, is_italic, _reduce(TEXT_FAMILY, is_bold, is_italic, letters))
        for is_bold, is_italic in _STYLES
    ]
    if signs:
        fonts.append(
            WebFont(MUSIC_FAMILY, False, False, _reduce(MUSIC_FAMILY, False, False, signs))
        )
    return tuple(fonts)


def _reduce(family: str, is_bold: bool, is_italic: bool, characters: frozenset[str]) -> bytes:
    font = TTFont(BytesIO(read_font(family, is_bold=is_bold, is_italic=is_italic)))
    options = Options(layout_features=["kern"], hinting=False, notdef_outline=True, name_IDs=[])
    options.drop_tables += ["FFTM"]  # FontForge's time stamp, which cannot be reduced
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[ord(c) for c in characters])
    subsetter.subset(font)
    font.flavor = "woff2"
    reduced = BytesIO()
    font.save(reduced)
    return reduced.getvalue()
