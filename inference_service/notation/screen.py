"""Engraved pages for a web page: one system each, small, and themed by the page around them.

The pages are laid out as for any other paper, and then rewritten:

- Glyphs are defined once for all pages, instead of in each, and have the same ids everywhere.
- Of all elements, only bars and notes keep their ids, which follow from the music. No two elements
  of the pages have the same id.
- Colours are ``currentColor``. What Verovio says in a style sheet is said in attributes: a strict
  Content-Security-Policy allows no style sheet in a document.
- A page scales with its element's width.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from inference_service.notation.fonts import TEXT_FAMILY
from inference_service.notation.page import Page

STAFF_PX: Final = 64
"""Height of a staff on a :class:`Page`."""

MARGIN_PX: Final = 24
"""Space around a system, on a :class:`Page`."""

_NARROWEST_PX: Final = 6 * STAFF_PX
_LOWEST_PX: Final = 100
"""Verovio's least height of a page, for one staff at most."""

_STAVES_PER_WIDTH: Final = 19.5
_USUAL_STAFF_PX: Final = (18.0, 34.0)
"""A phone held upright shows about 20 staff heights; wider screens are read from farther away."""

_GLYPH: Final = re.compile(r'<g id="([0-9A-F]{4,5})-[^"]*">(.*?)</g>', re.DOTALL)
_DEFINITIONS: Final = re.compile(r"<defs>(.*?)</defs>", re.DOTALL)
_USE: Final = re.compile(r'(?:xlink:)?href="#([0-9A-F]{4,5})-[^"]*"')
_LEFT_OUT: Final = re.compile(
    r"<desc>.*?</desc>|<style\b.*?</style>|<title>.*?</title>"
    r'|<g [^>]*class="[^"]*\bplaceholder\b[^"]*">(?:<ellipse [^>]*/>)*</g>',
    re.DOTALL,
)
_ID: Final = re.compile(r' id="([^"]*)"')
_KEPT_ID: Final = re.compile(r"(?:note|bar)-")
_REFERENCE: Final = re.compile(r' id-[a-z0-9]+(?=[ "])')
_EMPTY: Final = re.compile(r"<g(?: class=\"[^\"]*\")?(?:/>|></g>)")
_BOLD: Final = re.compile(r'<g class="(ending|fing|reh|tempo)\b')
_ITALIC: Final = re.compile(r'<g class="(dir|dynam|mNum)\b')
_ROOT: Final = re.compile(r'<svg (?:[^>]* )?(viewBox="[^"]*")')
_SCALE: Final = re.compile(r"scale\(([\d.]+), \1\)")


@dataclass(frozen=True, slots=True)
class ScreenPages:
    """Pages for a screen.

    Attributes
    ----------
    glyphs : str
        An SVG element without size, with the signs that the pages use. It must be in the same
        document.
    pages : tuple of str
        SVG elements of one width.
    """

    glyphs: str
    pages: tuple[str, ...]

    @property
    def ids(self) -> tuple[tuple[str, int], ...]:
        """The ids of bars and noteheads in order, each with the number of its page, from 1."""
        return tuple(
            (name, number)
            for number, page in enumerate(self.pages, start=1)
            for name in _ID.findall(page)
        )


def choose_staff_height(width_px: float, staves: int) -> float:
    """Return a height for staves on a screen, in its pixels; smaller for more than two staves."""
    smallest, largest = _USUAL_STAFF_PX
    height_px = min(max(width_px / _STAVES_PER_WIDTH, smallest), largest)
    return height_px if staves <= 2 else max(0.8 * height_px, smallest)


def build_page(width_px: float, staff_height_px: float) -> Page:
    """Return the page that is as wide as a screen, for one system at a time.

    Staves that are too high for the width are drawn lower.
    """
    width = max(round(width_px * STAFF_PX / staff_height_px), _NARROWEST_PX)
    return Page(width, _LOWEST_PX, MARGIN_PX, is_trimmed=True)


def prepare(svgs: list[str]) -> ScreenPages:
    """Rewrite engraved pages for a screen."""
    glyphs: dict[str, str] = {}
    pages = []
    for svg in svgs:
        for definitions in _DEFINITIONS.findall(svg):
            glyphs |= dict(_GLYPH.findall(definitions))
        pages.append(_rewrite(_DEFINITIONS.sub("", svg)))
    symbols = "".join(f'<g id="glyph-{code}">{glyphs[code]}</g>' for code in sorted(glyphs))
    return ScreenPages(
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" aria-hidden="true">'
        f"<defs>{symbols}</defs></svg>",
        tuple(pages),
    )


def _rewrite(svg: str) -> str:
    svg = _LEFT_OUT.sub("", svg)
    svg = _USE.sub(r'href="#glyph-\1"', svg)
    svg = _ID.sub(lambda match: match.group() if _KEPT_ID.match(match.group(1)) else "", svg)
    svg = _REFERENCE.sub("", svg)
    svg = _ROOT.sub(r'<svg \1 fill="currentColor"', svg, count=1)
    count = 1
    while count:
        svg, count = _EMPTY.subn("", svg)
    svg = _BOLD.sub(r'<g font-weight="bold" class="\1', svg)
    svg = _ITALIC.sub(r'<g font-style="italic" class="\1', svg)
    svg = _SCALE.sub(r"scale(\1)", svg)
    for before, after in _PLAIN:
        svg = svg.replace(before, after)
    return svg


_PLAIN: Final = (
    (' xmlns:xlink="http://www.w3.org/1999/xlink"', ""),
    (' version="1.1"', ""),
    (' color="black"', ""),
    ('<g class="page-margin"', '<g class="page-margin" stroke="currentColor"'),
    ("<text ", '<text stroke="none" '),
    ('="black"', '="currentColor"'),
    (f'font-family="{TEXT_FAMILY}"', f'font-family="{TEXT_FAMILY}, Times, serif"'),
)
