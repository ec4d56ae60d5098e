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
from importlib.resources import files
from typing import Any, Final

import resvg_py
import typst
import verovio

from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY, font_directory, font_files
from inference_service.notation.mei import dress

MAX_PAGES: Final = 40
"""More pages than this are cut: a chat takes albums of ten, and nobody reads on."""

PAGE_WIDTH_PX: Final = 1400
PAGE_HEIGHT_PX: Final = 1980

_MARGIN_PX: Final = 60
_WIDE_SCALE: Final = 0.8
"""How much smaller a system of more than two staves is drawn."""

_OPTIONS: Final[dict[str, Any]] = {
    "unit": 8.0,  # half a staff space
    "adjustPageHeight": True,
    "breaks": "auto",
    "condense": "none",
    "footer": "none",
    "header": "encoded",
    "bottomMarginHeader": 4.0,
    "harmDist": 2.0,
    "spacingSystem": 8,
    "staffLineWidth": 0.2,  # thinner ones fade when a phone scales the page down
    "minLastJustification": 0.6,
    "font": MUSIC_FAMILY,
    "smuflTextFont": "none",
    "svgFormatRaw": True,  # indentation inside text would be drawn as spaces
}
_HEIGHT: Final = re.compile(r'<svg[^>]*? height="(\d+)px"')

_lock = threading.Lock()


@cache
def _toolkit() -> Any:
    verovio.enableLog(verovio.LOG_OFF)
    # Verovio keeps its folder of fonts by thread, and set it in the one that imported it.
    verovio.setDefaultResourcePath(str(files("verovio") / "data"))
    return verovio.toolkit()


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
        toolkit.setOptions(_OPTIONS | _page_size(1.0))
        if not toolkit.loadData(musicxml.decode()):
            raise ValueError("Verovio cannot read the MusicXML")
        mei = dress(toolkit.getMEI())
        scale = 1.0 if mei.count("<staffDef ") <= 2 else _WIDE_SCALE
        pages = _lay_out(toolkit, mei, scale)
        tallest_px = max(map(_height_px, pages))
        if tallest_px > PAGE_HEIGHT_PX:  # a system higher than a page
            pages = _lay_out(toolkit, mei, scale * PAGE_HEIGHT_PX / tallest_px)
        return pages


def _lay_out(toolkit: Any, mei: str, scale: float) -> list[str]:
    toolkit.setOptions(_page_size(scale))
    toolkit.loadData(mei)
    count = min(max(toolkit.getPageCount(), 1), MAX_PAGES)
    return [_own_font(toolkit.renderToSVG(number)) for number in range(1, count + 1)]


def _page_size(scale: float) -> dict[str, int]:
    """Return Verovio's options for music drawn at a scale on a page of the same pixels."""
    percent = max(round(100 * scale), 1)
    margins = ("pageMarginLeft", "pageMarginRight", "pageMarginTop", "pageMarginBottom")
    return {
        "scale": percent,
        "pageWidth": PAGE_WIDTH_PX * 100 // percent,
        "pageHeight": PAGE_HEIGHT_PX * 100 // percent,
        **dict.fromkeys(margins, _MARGIN_PX * 100 // percent),
    }


def _height_px(svg: str) -> int:
    match = _HEIGHT.search(svg)
    return int(match.group(1)) if match else 0


def _own_font(svg: str) -> str:
    return svg.replace('font-family="Times, serif"', f'font-family="{TEXT_FAMILY}"')


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
