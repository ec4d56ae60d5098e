"""MusicXML to pages: SVG by Verovio, PNG by resvg, PDF by Typst.

A page is made for a phone held upright: as wide as twenty staves are high, so that in a chat, 400
points wide, a staff is still twenty points high. The last page, often the only one, is as high as
its music. Everything stays a vector until :func:`rasterize`.

A Verovio toolkit keeps a document between calls and its fonts in the process, so calls into it
are made under one lock; it is built once, since loading its fonts takes longer than a page.
"""

from __future__ import annotations

import json
import re
import threading
from functools import cache
from typing import Any, Final

import resvg_py
import typst
import verovio

from inference_service.notation.fonts import TEXT_FAMILY, font_directory, font_files

MAX_PAGES: Final = 40
"""More pages than this are cut: a chat takes albums of ten, and nobody reads on."""

PAGE_WIDTH_PX: Final = 1400
PAGE_HEIGHT_PX: Final = 1980

_OPTIONS: Final[dict[str, Any]] = {
    "pageWidth": PAGE_WIDTH_PX,
    "pageHeight": PAGE_HEIGHT_PX,
    "pageMarginLeft": 60,
    "pageMarginRight": 60,
    "pageMarginTop": 60,
    "pageMarginBottom": 60,
    "scale": 100,
    "unit": 8.0,
    "breaks": "auto",
    "condense": "none",
    "header": "auto",
    "footer": "none",
    "adjustPageHeight": True,
    "justifyVertically": False,
    "spacingSystem": 8,
    "lyricSize": 5.0,
    "font": "Leipzig",
    "xmlIdChecksum": True,
    "svgFormatRaw": True,
}

_lock = threading.Lock()


@cache
def _toolkit() -> Any:
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    return toolkit


def engrave(musicxml: bytes) -> list[str]:
    """Lay a score out.

    Parameters
    ----------
    musicxml : bytes
        As :func:`~inference_service.notation.musicxml.encode_musicxml` writes it.

    Returns
    -------
    list of str
        SVG documents, ``PAGE_WIDTH_PX`` wide, at least one and at most ``MAX_PAGES``.
    """
    with _lock:
        toolkit = _toolkit()
        if not toolkit.loadData(musicxml.decode()):
            raise ValueError("Verovio cannot read the MusicXML")
        count = min(max(toolkit.getPageCount(), 1), MAX_PAGES)
        return [_own_fonts(toolkit.renderToSVG(number)) for number in range(1, count + 1)]


_EMBEDDED_FONT: Final = re.compile(r"<style[^>]*>@font-face.*?</style>", re.DOTALL)


def _own_fonts(svg: str) -> str:
    """Name the project's text font, and take out the embedded one that no renderer reads."""
    svg = svg.replace('font-family="Times, serif"', f'font-family="{TEXT_FAMILY}"')
    return _EMBEDDED_FONT.sub("", svg)


def rasterize(svg: str) -> bytes:
    """Draw a page as PNG, black on white, at the SVG's own size."""
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        skip_system_fonts=True,
        font_files=font_files(),
        font_family=TEXT_FAMILY,
        serif_family=TEXT_FAMILY,
    )


_DOCUMENT: Final = """
#set page(paper: "a4", margin: 0pt)
#for page in json(bytes(sys.inputs.pages)) {
  image(bytes(page), format: "svg", width: 100%)
}
"""


@cache
def _typst_fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(font_directory())],
    )


def write_pdf(svgs: list[str]) -> bytes:
    """Print pages on A4, as vectors.

    Parameters
    ----------
    svgs : list of str
        As :func:`engrave` returns them; each goes on a page of its own.
    """
    document: bytes = typst.compile(
        _DOCUMENT.encode(),
        font_paths=_typst_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"pages": json.dumps(svgs)},
    )
    return document
