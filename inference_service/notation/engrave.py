"""Engrave MusicXML as pages: SVG by Verovio, PNG by resvg, PDF by Typst.

Music is laid out for a given :class:`~inference_service.notation.page.Page`: large for a phone, at
the usual print size for paper. Pages are vector graphics until :func:`rasterize`; a PDF keeps them
as vectors.

A Verovio toolkit keeps its document between calls, so all calls are made under one lock. The
toolkit is built once, because loading its fonts takes longer than engraving a page.
"""

from __future__ import annotations

import json
import math
import re
import threading
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import resvg_py
import typst
import verovio

from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY, font_directory, font_files
from inference_service.notation.mei import dress
from inference_service.notation.page import MAX_PAGES, PHONE, WIDEST_PICTURE, Page, Paper

_WIDE_SCALE: Final = 0.8
"""Scale at which systems of more than two staves are drawn."""

_SHRINKINGS: Final = 3
"""Most attempts to shrink a system to the page. One is not always enough, as Verovio's scale is in
whole per cent and margins are not scaled with the music."""

_OPTIONS: Final[dict[str, Any]] = {
    "unit": 8.0,  # half a staff space
    "breaks": "auto",
    "condense": "encoded",
    "condenseTempoPages": True,
    "systemDivider": "none",
    "octaveAlternativeSymbols": True,  # 8va, not 8
    "footer": "none",
    "header": "encoded",
    "bottomMarginHeader": 4.0,
    "defaultBottomMargin": 2.0,  # keeps tempo marks clear of the time signature
    "harmDist": 2.0,
    "spacingSystem": 8,
    "staffLineWidth": 0.2,  # thinner lines fade when a phone scales the page down
    "minLastJustification": 0.6,
    "font": MUSIC_FAMILY,
    "smuflTextFont": "none",
    "svgFormatRaw": True,  # indentation inside text would be drawn as spaces
    "svgViewBox": False,
    "svgRemoveXlink": False,
}
_SCREEN_OPTIONS: Final[dict[str, Any]] = {
    "header": "none",
    "adjustPageHeight": True,
    "justifyVertically": False,
    "svgViewBox": True,
    "svgRemoveXlink": True,
}
_SIZE: Final = re.compile(
    r'<svg[^>]*? width="(?P<width>\d+)(?:px)?" height="(?P<height>\d+)(?:px)?"'
)

_lock = threading.Lock()


@cache
def _toolkit() -> Any:
    verovio.enableLog(verovio.LOG_OFF)
    return verovio.toolkit()


def engrave(musicxml: bytes, page: Page = PHONE) -> list[str]:
    """Lay out a score as pages.

    Parameters
    ----------
    musicxml : bytes
        From :func:`~inference_service.notation.musicxml.encode_musicxml`.
    page : Page

    Returns
    -------
    list of str
        SVG documents of the page's size, at least one and at most ``MAX_PAGES``.
    """
    with _lock:
        toolkit = _set_up(_OPTIONS | _page_options(page, 1.0))
        mei = _convert(toolkit, musicxml)
        scale = 1.0 if mei.count("<staffDef ") <= 2 else _WIDE_SCALE
        # Only a page whose height follows its music reveals a system that is too tall.
        svgs = _lay_out(toolkit, mei, page, scale, is_trimmed=True)
        for _ in range(_SHRINKINGS):
            tallest_px = max(map(_height_px, svgs))
            if tallest_px <= page.height_px:
                break
            scale *= page.height_px / tallest_px
            svgs = _lay_out(toolkit, mei, page, scale, is_trimmed=True)
        if page.is_trimmed:
            return svgs
        return _lay_out(toolkit, mei, page, scale, is_trimmed=False)


def engrave_systems(musicxml: bytes, page: Page, limit: int) -> list[str]:
    """Lay out a score for a screen, each system on a page as high as its music.

    Parameters
    ----------
    musicxml : bytes
    page : Page
        Without room for a second system. The title is left out.
    limit : int
        Number of systems; further ones are dropped.

    Returns
    -------
    list of str
        SVG documents that have a size only in their view box.
    """
    with _lock:
        options = _OPTIONS | _page_options(page, 1.0) | _SCREEN_OPTIONS
        toolkit = _set_up(options)
        toolkit.loadData(_convert(toolkit, musicxml))
        count = min(max(toolkit.getPageCount(), 1), limit)
        svgs = [_own_font(toolkit.renderToSVG(number)) for number in range(1, count + 1)]
    return svgs


def _set_up(options: dict[str, Any]) -> Any:
    # Verovio's resource path is thread-local, and was set in the thread that imported it.
    verovio.setDefaultResourcePath(str(files("verovio") / "data"))
    toolkit = _toolkit()
    toolkit.setOptions(options)
    return toolkit


def _convert(toolkit: Any, musicxml: bytes) -> str:
    """Return MEI with what MusicXML cannot express."""
    toolkit.setOptions({"breaks": "none"})  # it need not be laid out yet
    is_read = toolkit.loadData(musicxml.decode())
    toolkit.setOptions({"breaks": _OPTIONS["breaks"]})
    if not is_read:
        raise ValueError("Verovio cannot read the MusicXML")
    return dress(toolkit.getMEI())


def _lay_out(toolkit: Any, mei: str, page: Page, scale: float, *, is_trimmed: bool) -> list[str]:
    toolkit.setOptions(
        _page_options(page, scale)
        | {"adjustPageHeight": is_trimmed, "justifyVertically": not is_trimmed}
    )
    toolkit.loadData(mei)
    count = min(max(toolkit.getPageCount(), 1), MAX_PAGES)
    return [_own_font(toolkit.renderToSVG(number)) for number in range(1, count + 1)]


def _page_options(page: Page, scale: float) -> dict[str, int]:
    """Return Verovio's options for a scale, such that the page keeps its size in pixels."""
    percent = max(int(100 * scale + 1e-6), 1)
    margins = ("pageMarginLeft", "pageMarginRight", "pageMarginTop", "pageMarginBottom")
    return {
        "scale": percent,
        "pageWidth": page.width_px * 100 // percent,
        "pageHeight": page.height_px * 100 // percent,
        **dict.fromkeys(margins, page.margin_px * 100 // percent),
    }


def _height_px(svg: str) -> int:
    size = _SIZE.search(svg)
    return int(size["height"]) if size else 0


def _own_font(svg: str) -> str:
    return svg.replace('font-family="Times, serif"', f'font-family="{TEXT_FAMILY}"')


def rasterize(svg: str) -> bytes:
    """Render a page as PNG, black on white, at the size of the SVG.

    A page that is wider than :data:`~inference_service.notation.page.WIDEST_PICTURE` gets white
    space below it.
    """
    return resvg_py.svg_to_bytes(
        svg_string=_pad(svg),
        background="white",
        skip_system_fonts=True,
        font_files=font_files(),
        font_family=TEXT_FAMILY,
        serif_family=TEXT_FAMILY,
    )


def _pad(svg: str) -> str:
    size = _SIZE.search(svg)
    if size is None or int(size["width"]) <= WIDEST_PICTURE * int(size["height"]):
        return svg
    height = math.ceil(int(size["width"]) / WIDEST_PICTURE)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size["width"]}" '
        f'height="{height}">{svg}</svg>'
    )


_PAPERS: Final = {Paper.A4: "a4", Paper.LETTER: "us-letter"}
"""Typst's names of paper sizes."""

_DOCUMENT: Final = """
#set document(date: none)  // the same music gives the same file
#set page(paper: sys.inputs.paper, margin: 0pt)
#set text(font: sys.inputs.font, size: 10pt)
#let pages = json(bytes(sys.inputs.pages))
#for (index, page) in pages.enumerate() {
  image(bytes(page), format: "svg", width: 100%)
  if pages.len() > 1 { place(bottom + center, dy: -7mm, [#(index + 1)]) }
}
"""


@lru_cache(maxsize=1)
def _typst_fonts(folder: Path) -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(folder)],
    )


def write_pdf(svgs: list[str], paper: Paper = Paper.A4) -> bytes:
    """Write a PDF with one SVG per page, numbered if there are several.

    Parameters
    ----------
    svgs : list of str
        Pages laid out for ``PRINTED[paper]``.
    paper : Paper
    """
    document: bytes = typst.compile(
        _DOCUMENT.encode(),
        font_paths=_typst_fonts(font_directory()),
        ignore_system_fonts=True,
        sys_inputs={"pages": json.dumps(svgs), "paper": _PAPERS[paper], "font": TEXT_FAMILY},
    )
    return document
