"""Chord sheets: their contents, and that everything stays within its bar and page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest
from PIL import Image

from inference_service.music.events import Key
from inference_service.music.score import ScoreMark
from inference_service.notation.chart import build_chart
from inference_service.notation.chord_sheet import _fit, draw_chord_sheet
from inference_service.notation.engrave import rasterize, write_pdf
from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY
from inference_service.notation.page import MAX_PAGES, PHONE, PRINTED, Page, Paper
from inference_service.notation.quantize import quantize
from tests.factories import perform
from tests.unit.notation.test_engrave import assert_sendable, size_px

NAMES = ["A:min7", "D:7", "G:maj7", "C:maj", "F#:hdim7", "B:7/3", "E:min", "Bb:sus4", "N"]
SIMILE = "\ue500"


def draw(
    chords: Sequence[tuple[float, float, str]],
    page: Page = PHONE,
    title: str = "Осенние листья",
    marks: Sequence[tuple[float, str]] = (),
    **options: Any,
) -> list[str]:
    stop = int(max((stop for _, stop, _ in chords), default=4))
    notes = [(float(k), 1.0, 60) for k in range(stop)]
    score = quantize(perform({"piano": notes}, chords=chords, **options), title)
    marked = replace(score, marks=tuple(ScoreMark(Fraction(at), text) for at, text in marks))
    return draw_chord_sheet(build_chart(marked), page, marked.key)


def every_bar(count: int, beats: int = 4) -> list[tuple[float, float, str]]:
    return [(beats * k, beats * (k + 1), NAMES[k % len(NAMES)]) for k in range(count)]


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("text")]


def row_numbers(svg: str) -> list[int]:
    root = ElementTree.fromstring(svg)
    return [int(e.text or "") for e in root.iter() if e.get("font-style") == "italic"]


def test_names_read_as_on_a_lead_sheet() -> None:
    (svg,) = draw([(0, 4, "F#:hdim7/b3"), (4, 12, "E:min")], key=Key("G", "major"), bpm=132.0)
    written = texts(svg)
    assert "".join(written[written.index("F♯") :][:4]) == "F♯m7♭5/A"
    assert SIMILE in written
    assert "Осенние листья" in written
    assert "Key: G" in written
    assert any(text.endswith("= 132") for text in written)


def test_a_row_never_begins_with_a_repetition() -> None:
    (svg,) = draw([(0, 40, "C:maj")])
    assert texts(svg).count("C") == 3
    assert texts(svg).count(SIMILE) == 7


def test_the_time_signature_and_the_rows_are_numbered() -> None:
    (svg,) = draw(every_bar(10, 3), time_signature="3/4")
    written = texts(svg)
    assert written.count("\ue083") == written.count("\ue084") == 1
    assert row_numbers(svg) == [5, 9]


@pytest.mark.parametrize("page", [PHONE, *PRINTED.values()])
def test_500_bars_take_pages_that_hold_all(page: Page) -> None:
    pages = draw(every_bar(500), page)
    assert 5 < len(pages) < MAX_PAGES
    numbers = [number for svg in pages for number in row_numbers(svg)]
    assert numbers == list(range(5, 501, 4))
    for svg in (pages[0], pages[-1]):
        png = rasterize(svg)
        assert size_px(png)[0] == page.width_px
        assert size_px(png)[1] <= page.height_px
        image = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
        assert (image[-20:] == 255).all()
    assert_sendable(rasterize(draw(every_bar(500))[0]))


def test_hostile_lengths_are_cut() -> None:
    assert len(draw(every_bar(2000))) == MAX_PAGES


@pytest.mark.parametrize("title", ["", "x" * 200, "слово " * 33, "a <b> & c"])
@pytest.mark.parametrize("options", [{}, {"time_signature": "7/8", "pickup_beats": 2}])
def test_anything_becomes_a_page(title: str, options: dict[str, Any]) -> None:
    for chords in ([], every_bar(3)):
        for svg in draw(chords, title=title, **options):
            ElementTree.fromstring(svg)
            assert_sendable(rasterize(svg))


def test_the_pages_name_only_the_fonts_that_are_given() -> None:
    families = set(re.findall(r'font-family="([^"]+)"', "".join(draw(every_bar(40)))))
    assert families == {TEXT_FAMILY, MUSIC_FAMILY}


def test_the_pdf_is_text() -> None:
    svgs = draw(every_bar(20), PRINTED[Paper.LETTER])
    (page,) = pypdf.PdfReader(io.BytesIO(write_pdf(svgs, Paper.LETTER))).pages
    assert round(float(page.mediabox.width)) == 612
    assert "Осенние листья" in page.extract_text()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("width", [0.7, 1.6, 3.5])
def test_names_stay_apart_and_inside(count: int, width: float) -> None:
    places = [Fraction(k, count) for k in range(count)]
    size, starts = _fit([width] * count, places, 290.0)
    ends = [start + width * size for start in starts]
    assert starts[0] >= 0
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] <= 290.0 + 1e-6


def test_marks_are_boxed_within_their_bars_behind_double_lines() -> None:
    bars = every_bar(6)
    (plain,) = draw(bars)
    (marked,) = draw(bars, marks=[(16, "Notabot"), (20, "A mark that is far too long for its bar")])
    boxes = [e for e in ElementTree.fromstring(marked).iter() if e.get("stroke-width") == "3"]
    boxes = [box for box in boxes if box.tag.endswith("rect")]
    width = (PHONE.width_px - 2 * PHONE.margin_px) / 4
    assert len(boxes) == 2
    assert all(float(box.get("width", "inf")) < width for box in boxes)
    assert "Notabot" in texts(marked)
    assert marked.count("<path") == plain.count("<path") + 2
